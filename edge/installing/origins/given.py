"""Check a bundle and settings that are given beside a clone, before anything is built, as `fieldfare kit build` does.

As far as the standard library can: whether the new version knows every key and what the manifest describes, only that
version can judge, once it is built (edge/cli/device/check.py).
"""

import hashlib
import tomllib
from pathlib import Path

from edge.bundle.files import read_files
from edge.bundle.place import MANIFEST, MANIFEST_HASH
from edge.errors import BundleError, ConfigError, MissingInputError
from edge.printable import printable

# As edge/config/loading.py reads them.
MAX_SETTINGS = 1 << 16


def check_bundle(path: Path) -> None:
    """Raise MissingInputError or BundleError unless a file is a packed bundle with the bytes that were packed."""
    shown = f"bundle {printable(str(path))}"
    if path.is_dir():
        raise BundleError(f"{shown}: a folder: pack it with `fieldfare bundle pack`")
    try:
        files = read_files(path)
    except BundleError as error:
        raise BundleError(f"{shown}: {error}") from error
    except OSError as error:
        raise MissingInputError(f"{shown}: cannot read: {error.strerror or error}") from error
    digest = hashlib.sha256(files.get(MANIFEST, b"")).hexdigest()
    if files.get(MANIFEST_HASH, b"").split() != [digest.encode(), MANIFEST.encode()]:
        raise BundleError(f"{shown}: {MANIFEST} is missing or damaged: pack it with `fieldfare bundle pack`")


def check_settings(data: bytes, path: Path, bundle: str) -> None:
    """Raise ConfigError unless the bytes of a settings file are TOML and name the place of the bundle.

    path: for messages. bundle: the place at which the bundle will be.
    """
    shown = f"settings {printable(str(path))}"
    if len(data) > MAX_SETTINGS:
        raise ConfigError(f"{shown}: {len(data)} bytes: must be at most {MAX_SETTINGS}: name a settings file")
    try:
        named = tomllib.loads(data.decode("utf-8-sig")).get("bundle")
    except RecursionError as error:
        raise ConfigError(f"{shown}: not valid TOML: nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{shown}: must be UTF-8, as byte {error.start + 1} is not: save it as UTF-8") from error
    except ValueError as error:
        raise ConfigError(f"{shown}: not valid TOML: {printable(str(error))[:200]}: mend it") from error
    if named != bundle:
        found = "missing" if named is None else printable(repr(named)[:200])
        raise ConfigError(f'{shown}: bundle is {found}: must be "{bundle}", as the bundle is installed there')

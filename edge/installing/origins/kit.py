"""Read and write kit.json, what a kit is for and what is in it, and the list of hashes beside it.

The one reader and writer of both, for the device, where no package is installed yet, and for the desktop.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from edge.errors import DataError, MissingInputError
from edge.installing.layout import NAME
from edge.printable import printable
from edge.storage import read_bounded

FORMAT = 1
KIT_FILE, SUMS_FILE, SCRIPT_NAME = "kit.json", "SHA256SUMS", "install.sh"
SETTINGS, BUNDLE, REQUIREMENTS = "fieldfare.toml", "bundle.fieldfare", "requirements.txt"
UNITS_FOLDER, WHEELS_FOLDER, DEBS_FOLDER = "systemd", "wheels", "debs"
# Not among the files of kit.json: it cannot hold its own hash, and the script is what begins to check.
NOT_LISTED = frozenset((KIT_FILE, SUMS_FILE, SCRIPT_NAME))
NEEDED = (SETTINGS, BUNDLE, REQUIREMENTS, f"{UNITS_FOLDER}/fieldfare.service")
# A kit has some forty files; kit.json has 6 kB.
MAX_BYTES = 1 << 20
MOST_FILES = 2000
# As edge/bundle/manifest.py bounds the texts of a bundle.
_LONGEST_NAME = 1000
_PART = re.compile(r"[0-9A-Za-z@_+=.,!~-]{1,200}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[0-9A-Za-z@_+.!~ -]{1,80}")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,80}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a kit: its size in bytes and its SHA-256."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Kit:
    """What kit.json holds.

    target: what the kit was built for, in a word, such as trixie-arm64.
    machine, os_ids, os_release, python: the same, as the device reports them: aarch64, debian, 13, 3.13.
    bundle: the name and the id of the bundle, for people.
    needs: Debian packages that the service needs of the system.
    files: all files by their path, but for NOT_LISTED.
    data: the bytes of kit.json.
    """

    version: str
    id: str
    target: str
    machine: str
    os_ids: tuple[str, ...]
    os_release: str
    python: str
    bundle: str
    needs: tuple[str, ...]
    files: Mapping[str, Entry]
    data: bytes

    @property
    def name(self) -> str:
        """The name of the version's folder."""
        return f"{self.version}-{self.id}"

    def under(self, folder: str) -> list[str]:
        """List the paths below a folder of the kit."""
        return sorted(path for path in self.files if path.startswith(f"{folder}/"))


def encode_kit(record: Mapping[str, object], files: Mapping[str, Entry]) -> bytes:
    """Return kit.json. record: its other keys, but for the format, as `Kit` has them; bundle is name and id."""
    entries = {name: {"size": entry.size, "sha256": entry.sha256} for name, entry in files.items()}
    return f"{json.dumps({'format': FORMAT, **record, 'files': entries}, indent=1, ensure_ascii=False)}\n".encode()


def encode_sums(files: Mapping[str, Entry]) -> bytes:
    """Return hashes and names, sorted, as `sha256sum -c` reads them."""
    return "".join(f"{files[name].sha256}  {name}\n" for name in sorted(files)).encode()


def kit_id(files: Mapping[str, Entry]) -> str:
    """Return the id of a kit of these listed files: 12 hex digits of the SHA-256 of their lines in SHA256SUMS."""
    return hashlib.sha256(encode_sums(files)).hexdigest()[:12]


def read_kit(folder: Path) -> Kit:
    """Read kit.json in `folder`. Raises MissingInputError or DataError."""
    path = folder / KIT_FILE
    try:
        data = read_bounded(path, MAX_BYTES, follow=False)
    except OSError as error:
        raise MissingInputError(
            f"kit {printable(str(path))}: cannot read: {error.strerror or error}: name the unpacked folder of a kit, "
            "or copy the kit again"
        ) from error
    return parse_kit(data, str(path))


def parse_kit(data: bytes, file: str) -> Kit:
    """Parse the bytes of kit.json; `file` is for messages. Raises DataError."""
    try:
        return _kit(json.loads(data), data)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        why = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise DataError(f"kit {printable(file)}: {printable(why)}: copy the kit again, or build it again") from error


def _kit(read: dict[str, Any], data: bytes) -> Kit:
    if read["format"] != FORMAT:
        raise ValueError(
            f"format {read['format']!r:.20}, must be {FORMAT}: this Fieldfare is too old or too new for the kit"
        )
    bundle, files = read["bundle"], read["files"]
    kit = Kit(
        version=_text(read, "version", _WORD),
        id=_text(read, "id", _WORD),
        target=_text(read, "target", _WORD),
        machine=_text(read, "machine", _WORD),
        os_ids=tuple(_matching("os_ids", one, _WORD) for one in read["os_ids"]),
        os_release=_text(read, "os_release", _WORD),
        python=_text(read, "python", _WORD),
        bundle=_bundle(bundle) if bundle else "",
        needs=tuple(_matching("needs", one, _PACKAGE) for one in read["needs"]),
        files={_path(path): _entry(path, one) for path, one in files.items()},
        data=data,
    )
    _matching("version and id", kit.name, NAME)
    if len(kit.files) > MOST_FILES:
        raise ValueError(f"{len(kit.files)} files: must be at most {MOST_FILES}")
    missing = [path for path in NEEDED if path not in kit.files]
    if missing:
        raise ValueError(f"{missing[0]} is not in the list of files")
    return kit


def _text(read: Mapping[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    return _matching(key, read[key], pattern)


def _bundle(read: Mapping[str, Any]) -> str:
    name = read["name"]
    if not isinstance(name, str) or len(name) > _LONGEST_NAME:
        raise ValueError(f"bundle's name {name!r:.60}: not a text of at most {_LONGEST_NAME} characters")
    return f"{printable(name)} ({_text(read, 'id', _WORD)})"


def _matching(key: str, value: object, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{key} {value!r:.60}: not of the form that a kit has")
    return value


def _path(path: str) -> str:
    """Return a path of the list if it stays in the kit and any file system can hold it."""
    parts = PurePosixPath(path).parts
    if len(path) > 300 or "/".join(parts) != path or not all(_PART.fullmatch(part) for part in parts):
        raise ValueError(f"file {path!r:.80}: no path of a kit")
    if path.startswith(".") or "/." in path or path in NOT_LISTED:
        raise ValueError(f"file {path!r:.80}: must not be in the list")
    return path


def _entry(path: str, read: Mapping[str, Any]) -> Entry:
    size, sha256 = read["size"], read["sha256"]
    if type(size) is not int or not 0 <= size < 1 << 40:
        raise ValueError(f"file {path}: size {size!r:.40}: not a number of bytes")
    return Entry(size, _matching(f"file {path}: sha256", sha256, _SHA256))

"""A clone of the repository as what a version is made of, with a network."""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.bundle.files import MAX_BUNDLE_BYTES
from edge.errors import DataError, MissingInputError
from edge.installing.layout import Layout
from edge.installing.origins.given import check_bundle, check_settings
from edge.installing.origins.kit import (
    BUNDLE,
    REQUIREMENTS,
    SETTINGS,
    UNITS_FOLDER,
    Entry,
    Kit,
    encode_kit,
    parse_kit,
)
from edge.installing.origins.kit_folder import PIP_S
from edge.installing.system.machine import Machine
from edge.installing.system.programs import Programs, must
from edge.printable import printable
from edge.storage import read_bounded

_PACKAGES = ("edge", "trainer")
_FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
_VERSION = re.compile(r'^__version__ = "([0-9A-Za-z.+!]{1,40})"$', re.MULTILINE)
_MAX_FILE = 8 << 20
# Wheels of the device's packages, unpacked, with their compiled modules (Python 3.13, 2026-11).
_BYTES, _COUNT = 420 << 20, 6000
# What the settings must name, whatever the root folder of a test.
_INSTALLED_BUNDLE = Layout().settings / BUNDLE
# Bookworm's picamera2 was built for NumPy 1.
_OLD_NUMPY = ("numpy<2",)


class Clone:
    """A clone, a bundle, and settings if others are wanted than the delivered ones."""

    def __init__(self, folder: Path, bundle: Path, settings: Path | None, machine: Machine) -> None:
        """Read all of it but for packages from the index. Raises MissingInputError, DataError or ConfigError."""
        self._folder, self._machine = folder, machine
        try:
            found = _VERSION.search((folder / "edge/__init__.py").read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise MissingInputError(
                f"clone {printable(str(folder))}: no clone of Fieldfare: --clone names one"
            ) from error
        if found is None or not (folder / "pyproject.toml").is_file():
            raise DataError(f"clone {printable(str(folder))}: not a whole clone of Fieldfare: clone it again")
        self._places = {BUNDLE: bundle, SETTINGS: settings or folder / UNITS_FOLDER / SETTINGS}
        for path in sorted((folder / UNITS_FOLDER).iterdir()):
            if path.is_file():
                self._places[f"{UNITS_FOLDER}/{path.name}"] = path
        self._data = {REQUIREMENTS: self._requirements()}
        check_bundle(bundle)
        for name, path in self._places.items():
            self._data[name] = _bytes(path, MAX_BUNDLE_BYTES if name == BUNDLE else _MAX_FILE)
        check_settings(self._data[SETTINGS], self._places[SETTINGS], str(_INSTALLED_BUNDLE))
        self.kit = self._record(found[1])

    def read(self, path: str) -> bytes:
        """Return a small file of it, as Origin does."""
        return self._data[path]

    def fill(self, venv: Path, programs: Programs, requirements: Path) -> None:
        """Install the clone and what it needs from the index, as Origin does."""
        python = str(venv / "bin/python")
        fix = "is there a network? A kit needs none: `fieldfare kit build`"
        must(programs, [python, "-I", "-m", "ensurepip"], "sudo apt install python3-venv", PIP_S, "no pip")
        # From a copy: setuptools builds in the folder itself, and root's files would be left in the user's clone.
        with tempfile.TemporaryDirectory(dir=venv) as temporary:
            source = Path(temporary) / "source"
            for name in (*_PACKAGES, *_FILES):
                _copy(self._folder / name, source / name)
            words = [python, "-I", "-m", "pip", "install", "--quiet", "--no-compile", "--no-cache-dir", "--no-input"]
            words += ["--disable-pip-version-check", f"{source}[device,outputs,pages]", *self._old_numpy()]
            must(programs, words, fix, PIP_S, "pip cannot install the clone")

    def describe(self) -> str:
        """Return in words where its packages come from."""
        return f"the clone {self._folder} and Python's package index"

    def size(self) -> tuple[int, int]:
        """Return what it takes, as Origin does: what was seen, as nothing is known before."""
        return _BYTES + 3 * len(self._data[BUNDLE]), _COUNT

    def debs(self) -> Sequence[Path]:
        """Return none."""
        return []

    def _old_numpy(self) -> tuple[str, ...]:
        return _OLD_NUMPY if self._machine.os_release == "12" else ()

    def _requirements(self) -> bytes:
        return "".join(f"{word}\n" for word in ("fieldfare[device,outputs,pages]", *self._old_numpy())).encode()

    def _record(self, version: str) -> Kit:
        """Return kit.json of this clone for this machine. The same clone has the same id again."""
        files = {name: Entry(len(data), hashlib.sha256(data).hexdigest()) for name, data in self._data.items()}
        listing = [f"{name} {entry.sha256}" for name, entry in sorted(files.items())]
        listing += [f"{path.relative_to(self._folder)} {_digest(path)}" for path in self._sources()]
        record = {
            "version": version,
            "id": hashlib.sha256("\n".join(listing).encode()).hexdigest()[:12],
            "target": "clone",
            "machine": self._machine.machine,
            "os_ids": [self._machine.os_id],
            "os_release": self._machine.os_release,
            "python": self._machine.python,
            "bundle": None,
            "needs": [],
        }
        return parse_kit(encode_kit(record, files), "of the clone")

    def _sources(self) -> Iterator[Path]:
        for name in _PACKAGES:
            yield from sorted(path for path in (self._folder / name).rglob("*") if _is_source(path))
        yield from (self._folder / name for name in _FILES if (self._folder / name).is_file())


def _is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def _digest(path: Path) -> str:
    return hashlib.sha256(_bytes(path, _MAX_FILE)).hexdigest()


def _bytes(path: Path, most: int) -> bytes:
    try:
        return read_bounded(path, most)
    except OSError as error:
        raise MissingInputError(f"{printable(str(path))}: cannot read: {error.strerror or error}") from error


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    elif source.is_file():
        shutil.copy(source, target)

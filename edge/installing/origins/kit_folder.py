"""Where a version comes from: an unpacked kit, or what is installed already. A clone is in `clone`."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from edge.errors import DataError, UnavailableError
from edge.installing.origins.checking import check_folder, verified
from edge.installing.origins.kit import DEBS_FOLDER, WHEELS_FOLDER, Kit
from edge.installing.system.programs import Programs, must
from edge.printable import printable

# On a Zero 2 W with a slow card. On a Pi 4 it is a minute.
PIP_S = 1800.0
_BLOCK = 4096
_VENV_BYTES, _VENV_FILES = 1 << 20, 50


class Origin(Protocol):
    """What a version is made of."""

    @property
    def kit(self) -> Kit:
        """Its record."""

    def read(self, path: str) -> bytes:
        """Return a small file of it, checked. Raises DataError."""

    def fill(self, venv: Path, programs: Programs, requirements: Path) -> None:
        """Install its packages into a virtual environment, not compiled. Raises UnavailableError with the reason."""

    def describe(self) -> str:
        """Return in words where its packages come from."""

    def size(self) -> tuple[int, int]:
        """Return the bytes and the number of files that it takes once it is installed."""

    def debs(self) -> Sequence[Path]:
        """Return its Debian packages."""


class KitFolder:
    """An unpacked kit."""

    def __init__(self, folder: Path, progress: Callable[[str], None] = lambda _: None) -> None:
        """Check all of it. Raises MissingInputError or DataError."""
        if folder.is_file():
            raise DataError(f"kit {printable(str(folder))}: a file: unpack it first: tar -xf {printable(str(folder))}")
        self._folder = folder
        self.kit = check_folder(folder, progress)
        self._wheels = [folder / path for path in self.kit.under(WHEELS_FOLDER) if path.endswith(".whl")]
        self._pip = next(wheel for wheel in self._wheels if wheel.name.startswith("pip-"))

    def read(self, path: str) -> bytes:
        """Return a small file, as Origin does."""
        return verified(self._folder, path, self.kit.files[path])

    def fill(self, venv: Path, programs: Programs, requirements: Path) -> None:
        """Install the wheels, as Origin does."""
        # pip checks the hash of each wheel once more, as it reads it. --ignore-installed: a package of the system with
        # the same version is not enough, as it changes with the system. --isolated: no setting of the system's pip.
        words = [str(venv / "bin/python"), "-I", f"{self._pip}/pip", "--isolated", "install", "--quiet", "--no-index"]
        words += ["--no-deps", "--ignore-installed", "--no-input", "--no-cache-dir", "--disable-pip-version-check"]
        words += ["--no-warn-script-location", "--no-compile", "--require-hashes"]
        words += ["--find-links", str(self._folder / WHEELS_FOLDER)]
        fix = "copy the kit again, or free some space"
        must(programs, [*words, "-r", str(requirements)], fix, PIP_S, "pip cannot install the wheels of the kit")

    def describe(self) -> str:
        """Return in words where its packages come from."""
        return f"{len(self._wheels)} wheels of the kit, without a network"

    def size(self) -> tuple[int, int]:
        """Return what it takes, as Origin does. Raises DataError for a wheel that is none."""
        total, files = _VENV_BYTES, _VENV_FILES
        for wheel in self._wheels:
            try:
                with zipfile.ZipFile(wheel) as archive:
                    for member in archive.infolist():
                        copies = 2 if member.filename.endswith(".py") else 1  # its compiled form takes about the same
                        total += copies * (member.file_size + _BLOCK)
                        files += copies
            except (OSError, zipfile.BadZipFile) as error:
                raise DataError(f"kit {printable(str(wheel))}: no wheel: {error}: build the kit again") from error
        small = (path for path in self.kit.files if not path.startswith((WHEELS_FOLDER, DEBS_FOLDER)))
        rest = [self.kit.files[path].size for path in small]
        # Three times: with the version, outside, and as the one that was there before.
        return total + 3 * sum(rest), files + 3 * len(rest)

    def debs(self) -> Sequence[Path]:
        """Return its Debian packages."""
        return [self._folder / path for path in self.kit.under(DEBS_FOLDER)]


class Installed:
    """A version that is installed already."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit

    def read(self, path: str) -> bytes:
        """Refuse: the version's folder has everything."""
        raise DataError(f"{self.kit.name}: {path} is missing in its folder: install the kit again")

    def fill(self, venv: Path, programs: Programs, requirements: Path) -> None:
        """Refuse: it is filled."""
        raise UnavailableError(f"{self.kit.name} is not whole: install the kit again")

    def describe(self) -> str:
        """Return in words where it comes from."""
        return "what is installed already"

    def size(self) -> tuple[int, int]:
        """Return what it takes: nothing more."""
        return 0, 0

    def debs(self) -> Sequence[Path]:
        """Return none."""
        return []

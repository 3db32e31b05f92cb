"""Write a kit as one tar, or as a folder: the same bytes for the same files, and whole or not at all."""

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.errors import DataError, OutputExistsError
from edge.installing.origins.kit import KIT_FILE, Entry
from edge.storage import new_directory, new_file, read_bounded

FOLDER = "fieldfare-kit"
TAR = ".tar"
_NAMES = f"give a name that ends in {TAR}, or a folder"
# Endings of other archives, and of a bundle.
_OTHERS = (
    *(
        ".tgz",
        ".tbz",
        ".tbz2",
        ".txz",
        ".tzst",
        ".tlz",
        ".gz",
        ".bz2",
        ".xz",
        ".zst",
        ".lz",
        ".lz4",
        ".lzma",
        ".z",
        ".br",
    ),
    *(".zip", ".7z", ".rar", ".cpio", ".ar", ".deb", ".rpm", ".whl", ".iso", ".img", ".squashfs"),
    ".fieldfare",
)
# Any tar reads it, and every Python writes it in the same way; ustar's names end at 100 characters, and one wheel's
# name has 97.
_FORM = tarfile.GNU_FORMAT


@dataclass(frozen=True, slots=True)
class Part:
    """A file to be put into a kit. read: returns its bytes, which are read one file at a time."""

    about: Entry
    read: Callable[[], bytes]


def part_of(data: bytes) -> Part:
    """Return the part of bytes in memory."""
    return Part(Entry(len(data), hashlib.sha256(data).hexdigest()), lambda: data)


def part_at(path: Path, about: Entry) -> Part:
    """Return the part of a file on the disk, of which size and hash are known."""
    return Part(about, lambda: read_bounded(path, about.size))


def fault_of_name(out: Path) -> str | None:
    """Return why `out` is no name for a kit, in words: it promises something else than a tar or a folder."""
    if str(out) == "-":
        return f"a kit cannot be written to the output: {_NAMES}"
    ending = next((one for one in _OTHERS if out.name.lower().endswith(one)), None)
    return None if ending is None or out.is_dir() else f"a kit is no {ending}: {_NAMES}"


def place_of(out: Path) -> Path:
    """Return where a kit goes: FOLDER in a folder that is there and is no kit itself, else `out`."""
    return out / FOLDER if out.is_dir() and not (out / KIT_FILE).is_file() else out


def check_replaceable(place: Path, *, overwrite: bool) -> None:
    """Raise OutputExistsError if there is something at `place` that must stay."""
    if not os.path.lexists(place):
        return
    if not overwrite:
        raise OutputExistsError(f"{place} exists: choose another name or add --overwrite")
    if not (is_kit(place) if place.is_file() else (place / KIT_FILE).is_file()):
        raise OutputExistsError(f"{place} is no kit, so --overwrite leaves it alone: choose another name")


def is_kit(path: Path) -> bool:
    """Return whether a file looks like the tar of a kit."""
    with path.open("rb") as file:
        return file.read(len(FOLDER) + 1) == f"{FOLDER}/".encode()


def write_kit(place: Path, parts: Mapping[str, Part], *, overwrite: bool, wrote: Callable[[str], None]) -> None:
    """Write `parts` by their names to `place`. wrote: called with the name of each.

    Raises OutputExistsError, StorageError, or DataError if a file has changed since it was looked at.
    """
    if place.suffix.lower() == TAR and not place.is_dir():
        with new_file(place, overwrite=overwrite) as file, tarfile.open(fileobj=file, mode="w", format=_FORM) as tar:
            for name, data in _read(parts, wrote):
                tar.addfile(_entry(name, len(data)), io.BytesIO(data))
        return
    with new_directory(place, overwrite=overwrite) as folder:
        for name, data in _read(parts, wrote):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def _read(parts: Mapping[str, Part], wrote: Callable[[str], None]) -> Iterator[tuple[str, bytes]]:
    """Yield all files by name, each as it was when it was looked at."""
    for name in sorted(parts):
        data = parts[name].read()
        if hashlib.sha256(data).hexdigest() != parts[name].about.sha256:
            raise DataError(f"{name} changed while the kit was made: make it again")
        yield name, data
        wrote(name)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(f"{FOLDER}/{name}")
    entry.size, entry.mode = size, 0o644  # no owner, and no time but 0
    return entry

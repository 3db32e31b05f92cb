"""Change files so that at any moment the old or the new one is there, whole, also after a power cut."""

import contextlib
import os
import shutil
from pathlib import Path

from edge.storage import replace_file

_MODE = 0o644
# Of names under which something is written before it gets its own.
_ENDINGS = ("link", "partial")
# Beside settings, bundle and units: the one that was replaced, and one that was not taken.
OLD, NEW = KEPT = (".old", ".new")


def put(path: Path, data: bytes) -> None:
    """Replace a small file, or make it, with its folder. On the disk before this returns."""
    make_folder(path.parent)
    replace_file(path, data, _MODE, synced=True)


def link(path: Path, target: str) -> None:
    """Replace whatever file or link `path` is by a link to `target`. On the disk before this returns."""
    make_folder(path.parent)
    partial = path.with_name(f".{path.name}.link")
    partial.unlink(missing_ok=True)
    partial.symlink_to(target)
    partial.replace(path)
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, and put their names on the disk."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(0o755, parents=True, exist_ok=True)
    for one in reversed(missing):
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder, if it is there; links are not followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def partials_of(path: Path) -> list[Path]:
    """List what a killed installer has left beside `path`."""
    names = (f".{path.name}{kind}.{ending}" for kind in ("", *KEPT) for ending in _ENDINGS)
    return [found for found in (path.with_name(name) for name in names) if os.path.lexists(found)]


def partials_in(folder: Path) -> list[Path]:
    """List what a killed installer has left in a folder that only the installer writes to."""
    return sorted(path for ending in _ENDINGS for path in folder.glob(f".*.{ending}"))


def content(path: Path, most: int = 1 << 30) -> bytes | None:
    """Return what is in a file, links followed; None if there is no such file."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if path.stat().st_size <= most and path.is_file():
            return path.read_bytes()
    return None

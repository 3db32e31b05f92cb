"""Name the files of a store, and tell them from others of the same name."""

import os
from pathlib import Path


def beside(store: Path, ending: str) -> Path:
    """Return the file beside the store that has its name and this ending."""
    return store.with_name(store.name + ending)


def files_of(path: Path) -> tuple[Path, ...]:
    """Return the store's file and the two that SQLite keeps beside it."""
    return (path, beside(path, "-wal"), beside(path, "-shm"))


def inode(path: Path) -> int | None:
    """Return what tells this file from another of the same name; None if there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


def sync_folder(path: Path) -> None:
    """Make sure that the names in the folder of `path` are on the disk."""
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

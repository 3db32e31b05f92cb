"""Name the files of a store, and tell them from others of the same name."""

import os
from contextlib import suppress
from pathlib import Path


def located(path: Path) -> Path:
    """Return the absolute path of a store, with links followed.

    The lock, the orders and the pictures lie beside the store: under two names it would have two locks, and so two
    writers.
    """
    return Path(os.path.realpath(path))


def beside(store: Path, ending: str) -> Path:
    """Return the file beside the store that has its name and this ending."""
    return store.with_name(store.name + ending)


def files_of(path: Path) -> tuple[Path, ...]:
    """Return the store's file and the two that SQLite keeps beside it."""
    return (path, beside(path, "-wal"), beside(path, "-shm"))


def inode(path: Path) -> tuple[int, int] | None:
    """Return what tells this file from another of the same name; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    # A disk that is mounted over the folder counts its files from the same numbers.
    return found.st_dev, found.st_ino


def make_folder(folder: Path) -> None:
    """Make this folder and those above that are missing, and put their names on the disk. Raises OSError."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(0o750, parents=True, exist_ok=True)
    # A store in a folder whose own name is lost at a power cut is lost, however well it was synced.
    for one in reversed(missing):
        sync_folder(one)
    if not missing:
        # A recorder before this one may have been killed between making and syncing it.
        with suppress(OSError):  # of a folder above that is not ours, and that we may not read
            sync_folder(folder)


def sync_folder(path: Path) -> None:
    """Make sure that the names in the folder of `path` are on the disk."""
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Name the files of a store, and tell them from others of the same name."""

import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from edge.errors import DataError
from edge.printable import printable

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}
# The tables' definitions are in the first pages.
_HEAD_BYTES = 1 << 20
_OURS = (b"CREATE TABLE fieldfare", b"CREATE TABLE open_events", b"CREATE TABLE hours")


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


def numbered(store: Path, word: str, tail: str = "") -> list[Path]:
    """Return what lies beside the store as NAME.WORD-N and this tail, oldest first."""
    ending = re.compile(rf"\.{word}-(\d+){tail}\Z")
    found = ((ending.fullmatch(entry.name[len(store.name) :]), entry) for entry in _named_after(store))
    return [entry for _, entry in sorted((int(match[1]), entry) for match, entry in found if match is not None)]


def next_numbered(store: Path, word: str, kept: list[Path]) -> Path:
    """Return NAME.WORD-N with the number after those of `kept`, oldest first."""
    number = 1
    if kept:
        number += int(kept[-1].name[len(store.name) + len(word) + 2 :].split("-")[0])
    return beside(store, f".{word}-{number}")


def _named_after(store: Path) -> list[Path]:
    return [entry for entry in store.parent.iterdir() if entry.name.startswith(store.name)]


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


def refuse_other_kind(path: Path, mode: int) -> None:
    """Raise DataError for what is no file. mode: its st_mode."""
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no file")
        example = f", such as {printable(str(path / 'events.db'))}" if stat.S_ISDIR(mode) else ""
        raise DataError(f"{printable(str(path))} is {kind}, so it cannot be a store: name a file{example}")


def is_foreign(path: Path) -> bool:
    """Return True if nothing shows that this file ever was a store of ours.

    It opens the file: call it while no connection of this process has it open, which would lose SQLite's locks on it.
    """
    if _was_written_here(path):
        return False
    try:
        # O_NONBLOCK: a pipe that was put in its place meanwhile would never open.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:  # noqa: PTH123 - a descriptor
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    # A file of zeros is what a power cut leaves of a new one on some file systems.
    return bool(head.strip(b"\0")) and not any(mark in head for mark in _OURS)


def _was_written_here(path: Path) -> bool:
    """Return whether the writer's lock (edge.store.locking) holds the id of a store."""
    # By its size, which readers see, too; only the service's user may read it.
    try:
        return beside(path, ".lock").stat().st_size > 0
    except OSError:
        return False


def foreign(path: Path) -> DataError:
    """Return the error for a file that is no store of ours."""
    return DataError(
        f"{printable(str(path))} is no store of Fieldfare's and was left as it is: name another file in events.store, "
        "or move this one away"
    )


def not_a_store(path: Path) -> DataError:
    """Return the error for who wants to read such a file."""
    return DataError(f"{printable(str(path))} is no store of Fieldfare's: check the path")

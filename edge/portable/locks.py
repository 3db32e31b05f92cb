"""Lock a folder against other processes that do the same; the end of the process unlocks it, however that comes."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.portable.system import module_or_none, open_flags

fcntl = module_or_none("fcntl")
_SUFFIX = ".lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder` during the block. Raises BlockingIOError if another process holds it, or if the folder
    was removed meanwhile; OSError if it is not there."""
    with _locked_itself(folder) if fcntl is not None else _locked_beside(folder):
        yield


@contextlib.contextmanager
def _locked_itself(folder: Path) -> Iterator[None]:
    handle = os.open(folder, open_flags("O_RDONLY", "O_DIRECTORY"))
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between opening and locking, who held the lock may have ended and removed the folder.
        if os.fstat(handle).st_ino != folder.stat().st_ino:
            raise BlockingIOError
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _locked_beside(folder: Path) -> Iterator[None]:
    """Lock a file beside the folder: Windows locks no folders, and removes nothing that is open."""
    folder.stat()
    path = folder.with_name(f"{folder.name}{_SUFFIX}")
    lock = _lock_file(path)
    try:
        yield
    finally:
        lock.close()
        with contextlib.suppress(OSError):  # another process looks whether it is locked: that one removes it
            path.unlink()


def _lock_file(path: Path) -> Any:
    """Return a connection that holds the lock of a file, which is made."""
    # SQLite's lock on an empty database: it knows every system's calls, and its end is that of the process.
    import sqlite3  # here, as only Windows needs it

    lock = None
    try:
        lock = sqlite3.connect(path, timeout=0, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if lock is not None:
            lock.close()
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise OSError(errno.EACCES, f"{error}", str(path)) from error
        raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK), str(path)) from error
    return lock

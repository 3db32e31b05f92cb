"""Let one process at a time write a store, by a lock on the file NAME.lock beside it."""

import errno
import fcntl
import os
from pathlib import Path
from types import TracebackType

from edge.errors import StorageError, UnavailableError
from edge.printable import printable
from edge.store.files import beside

_LONGEST_ID = 64


class WriterLock:
    """The right to write a store. The end of the process gives it back. A context manager."""

    # It holds the id of the store once one was opened here. That is how a store whose first pages are destroyed is told
    # from a stranger's file that the settings name by mistake, which must not be touched.
    #
    # A lock of its own and not one of SQLite's: two connections that write and checkpoint can damage a store before
    # SQLite 3.51.3, so the second must not come as far as opening it.

    def __init__(self, store: Path) -> None:
        """Take it. Raises UnavailableError if another process holds it, StorageError if it cannot be taken."""
        path = beside(store, ".lock")
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StorageError(
                f"cannot write {printable(str(path))} ({error.strerror}): check its folder and the permissions"
            ) from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._handle)
            self._handle = -1
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise StorageError(f"cannot lock {printable(str(path))} ({error.strerror}): check its disk") from error
            raise _is_written(store) from error

    def remembered(self) -> str:
        """Return the id of the last store that was written here, "" for none."""
        return os.pread(self._handle, _LONGEST_ID, 0).decode("ascii", "replace")

    def remember(self, store_id: str) -> None:
        """Note which store is written here."""
        if self.remembered() != store_id:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, store_id.encode(), 0)
            os.fsync(self._handle)

    def close(self) -> None:
        """Give it back; safe to call twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> "WriterLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def refuse_second_writer(store: Path) -> None:
    """Raise UnavailableError if a process writes this store. Makes no file, and keeps no lock."""
    path = beside(store, ".lock")
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return  # nobody has written it, or WriterLock reports why it cannot be opened
    try:
        # Shared: two who look at the same time are no reason for each other.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise _is_written(store) from error
    finally:
        os.close(handle)


def _is_written(store: Path) -> UnavailableError:
    return UnavailableError(
        f"another process writes the store {printable(str(store))} "
        f"(it holds {printable(beside(store, '.lock').name)}): stop it first, or name another file in events.store"
    )

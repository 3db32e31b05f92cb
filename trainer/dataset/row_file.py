"""The file behind rows on disk: read and written at places, by several threads, and by child processes too."""

import contextlib
import os
import tempfile
import threading
from pathlib import Path

from edge.portable.system import open_flags, reserve

_PREFIX = "fieldfare-rows-"


class RowFile:
    """An open file without a name, so that nothing stays on the disk however this process ends.

    address: what a child process needs for `attach`, beside the files in `inherited`
    inherited: open files that it must inherit
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.address = str(handle)
        self.inherited: tuple[int, ...] = (handle,)

    def read(self, view: memoryview, place: int) -> int:
        """Read from byte `place` into `view`. Returns how many bytes came; 0 at the end. Raises OSError."""
        return os.preadv(self._handle, [view], place)

    def write(self, data: memoryview, place: int) -> int:
        """Write at byte `place`. Returns how many bytes went. Raises OSError."""
        return os.pwrite(self._handle, data, place)

    def close(self) -> None:
        """Give the disk space back. Safe to call twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class NamedRowFile(RowFile):
    """The same for Windows, where an open file keeps its name, a child gets that, and place and reading are two calls.

    A process that is killed leaves it; it lies in a temporary folder.
    """

    def __init__(self, path: Path, *, owned: bool) -> None:
        """Open the file. owned: `close` removes it."""
        super().__init__(os.open(path, open_flags("O_RDWR")))
        self.address, self.inherited = str(path), ()
        self._path = path if owned else None
        self._lock = threading.Lock()

    def read(self, view: memoryview, place: int) -> int:
        """Read from byte `place` into `view`."""
        with self._lock:
            os.lseek(self._handle, place, os.SEEK_SET)
            piece = os.read(self._handle, len(view))
        view[: len(piece)] = piece
        return len(piece)

    def write(self, data: memoryview, place: int) -> int:
        """Write at byte `place`."""
        with self._lock:
            os.lseek(self._handle, place, os.SEEK_SET)
            return os.write(self._handle, data)

    def close(self) -> None:
        """Give the disk space back. Safe to call twice."""
        super().close()
        if self._path is not None:
            with contextlib.suppress(OSError):  # a child that was killed still holds it: the folder is removed later
                self._path.unlink()


def create(folder: Path, size: int) -> RowFile:
    """Make a file of `size` bytes in `folder`, and reserve its space. Raises OSError."""
    handle, name = tempfile.mkstemp(prefix=_PREFIX, dir=folder)
    path = Path(name)
    unnamed = hasattr(os, "preadv") and hasattr(os, "pwrite")
    try:
        if unnamed:
            path.unlink()
        reserve(handle, size, folder)
    except OSError:
        os.close(handle)
        path.unlink(missing_ok=True)
        raise
    if unnamed:
        return RowFile(handle)
    os.close(handle)
    return NamedRowFile(path, owned=True)


def attach(address: str) -> RowFile:
    """Open the file of a parent process by its address. Raises OSError."""
    return RowFile(int(address)) if address.isdecimal() else NamedRowFile(Path(address), owned=False)

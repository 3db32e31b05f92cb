"""One file of an export that gets its name only when it is whole, synced and read back."""

import hashlib
import os
from pathlib import Path

from edge.errors import StorageError
from edge.exports.copying.disk import PARTIAL, create, hash_from_disk, write_all

_BUFFER = 1 << 18


class OutputFile:
    """A file that is being written. Used by one thread. All methods raise OSError, `seal` also StorageError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f"{path.name}{PARTIAL}")
        self._handle: int | None = create(self._partial)
        self._hash = hashlib.sha256()
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        """Append the bytes, and return how many they are."""
        self._waiting += data
        if len(self._waiting) >= _BUFFER:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Hand all that was written to the system."""
        if self._handle is not None and self._waiting:
            piece = bytes(self._waiting)
            write_all(self._handle, piece)
            self._hash.update(piece)
            self._waiting.clear()

    def seal(self) -> str:
        """Sync the file, compare what the disk holds, and give it its name; return its SHA-256."""
        self.flush()
        handle = self._handle
        if handle is None:
            raise ValueError(f"{self._path} is sealed already")
        os.fsync(handle)
        self._handle = None
        os.close(handle)
        expected = self._hash.hexdigest()
        if hash_from_disk(self._partial) != expected:
            self._partial.unlink(missing_ok=True)
            raise differs(self._path)
        self._partial.replace(self._path)
        return expected

    def discard(self) -> None:
        """Remove it if it is not sealed; safe to call at any time."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
            self._partial.unlink(missing_ok=True)


def differs(path: Path) -> StorageError:
    """Return the error for a file that is not on the disk as it was written."""
    return StorageError(f"{path}: what was read back differs from what was written: the target is damaged: use another")

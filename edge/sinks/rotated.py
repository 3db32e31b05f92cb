"""A file of lines that is rotated, so that a season of them cannot fill the card."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

# FAT, as on most sticks, takes no larger file.
_FAT_MOST = (1 << 32) - 1


class RotatedFile:
    """Lines in a file. At max_bytes it becomes NAME.1 (and .1 becomes .2 ...); `keep` old ones stay. On FAT that comes
    at 4 GiB at the latest.

    The file is opened with the first line, and again after `close`, or if it was moved or removed. Used by one thread.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep: int, durable: bool = False) -> None:
        """durable: sync a file before it is rotated, so that `sync` covers all lines."""
        self._path, self._max_bytes, self._keep, self._durable = path, max_bytes, keep, durable
        self._file: BinaryIO | None = None

    def open(self) -> None:
        """Open the file, if it is not open in its place. Raises OSError."""
        if self._file is None or not self._is_in_place():
            self.close()
            self._file = self._opened()

    def write(self, line: bytes) -> None:
        """Write a whole line, with its line break, or raise OSError and leave the file unchanged."""
        self.open()
        assert self._file is not None
        if self._file.tell() + len(line) > self._max_bytes and self._file.tell():
            self._rotate()
        try:
            self._write_whole(line)
        except OSError as error:
            if error.errno != errno.EFBIG or self._file.tell() + len(line) <= _FAT_MOST:
                raise
            self._rotate()
            self._write_whole(line)

    def sync(self) -> None:
        """Have all lines on the disk. Raises OSError."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close it; safe to call twice."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # its device is gone, and nothing is buffered
                file.close()

    def _is_in_place(self) -> bool:
        """Return True if the open file is still the one at the path."""
        # It was moved or removed, or its USB stick was replaced by another one.
        assert self._file is not None
        ours = os.fstat(self._file.fileno())
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return False
        return (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino)

    def _opened(self) -> BinaryIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists() and not (self._path.is_file() or self._path.is_dir()):
            # Opening a pipe would block the whole service until somebody reads it.
            raise OSError(errno.EINVAL, "not a plain file")
        file: BinaryIO = self._path.open("ab", buffering=0)
        try:
            _end_half_line(self._path, file)
        except OSError:
            file.close()
            raise
        return file

    def _write_whole(self, line: bytes) -> None:
        """Write the whole line, or raise OSError and leave the file unchanged."""
        assert self._file is not None
        start, left = self._file.tell(), memoryview(line)
        try:
            # What does not fit is cut, and only the rest of it is refused, with the reason.
            while left:
                left = left[self._file.write(left) :]
        except OSError:
            self._file.truncate(start)
            self._file.seek(start)
            raise

    def _rotate(self) -> None:
        if self._durable:
            self.sync()
        self.close()
        for number in range(self._keep, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = self._path if number == 1 else self._path.with_name(f"{self._path.name}.{number - 1}")
            if newer.exists():
                newer.replace(older)
        self._file = self._path.open("wb" if not self._keep else "ab", buffering=0)


def _end_half_line(path: Path, file: BinaryIO) -> None:
    """End the last line of the file at `path` if it lacks its line break."""
    # A power cut may have left half a line, and the next one must begin on a line of its own.
    size = path.stat().st_size
    if size:
        with path.open("rb") as reader:
            reader.seek(size - 1)
            if reader.read(1) != b"\n":
                file.write(b"\n")

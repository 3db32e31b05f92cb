"""Write results for programs: one JSON object a line, to a stream or to a file that is rotated."""

import errno
import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from edge.errors import StorageError
from edge.printable import printable_json
from edge.results import Result

_log = logging.getLogger(__name__)
# A failure is news again after so many seconds.
_AGAIN_S = 60.0
_encode = msgspec.json.Encoder().encode


def _line(result: Result) -> bytes:
    # A label may hold C1 controls and marks of direction, and people look at these lines on terminals, too.
    return printable_json(_encode(result)) + b"\n"


class JsonStreamSink:
    """JSON lines to a stream such as standard output; each line is flushed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    @property
    def fault(self) -> None:
        """See Sink.fault: this one never goes on without writing."""

    def write(self, result: Result) -> None:
        """See Sink.write. Raises BrokenPipeError if the reader has gone, StorageError for any other failure."""
        try:
            self._stream.write(_line(result))
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StorageError(f"standard output: cannot write: {error.strerror or error}") from error

    def close(self) -> None:
        """See Sink.close. The stream stays open."""


class JsonFileSink:
    """JSON lines to a file. At max_bytes it becomes NAME.1 (and .1 becomes .2 ...); `keep` old ones stay, so that
    a season of results cannot fill the card. The file is opened again after a failure, or if it was moved or removed.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep: int, patient: bool = False) -> None:
        """Open the file. Raises StorageError if that fails; with `patient` it is logged instead, and tried again."""
        self._path, self._max_bytes, self._keep = path, max_bytes, keep
        self._fault: str | None = None
        self._warned_s, self._level = float("-inf"), logging.WARNING
        self._file: BinaryIO | None = None
        try:
            self._open()
        except OSError as error:
            if not patient:
                raise StorageError(f"results {path}: cannot write: {error.strerror or error}") from error
            self._note_failure(error)

    @property
    def fault(self) -> str | None:
        """See Sink.fault."""
        return self._fault

    def write(self, result: Result) -> None:
        """See Sink.write. The first failure is logged, and the next success."""
        line = _line(result)
        try:
            if self._file is None or not self._is_in_place():
                self.close()
                self._open()
            assert self._file is not None
            if self._file.tell() + len(line) > self._max_bytes and self._file.tell():
                self._rotate()
            self._write_whole(line)
        except OSError as error:
            self._note_failure(error)
            self.close()
            return
        if self._fault is not None:
            _log.log(self._level, "results %s: writing works again", self._path)
            self._fault = None

    def close(self) -> None:
        """See Sink.close."""
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

    def _open(self) -> None:
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
        self._file = file

    def _note_failure(self, error: OSError) -> None:
        reason = f"cannot write: {error.strerror or error}"
        if self._fault is None:
            # A disk that is full to a line takes every other result: that is one failure, and not ten a second.
            now = time.monotonic()
            self._level = logging.WARNING if now - self._warned_s > _AGAIN_S else logging.DEBUG
            self._warned_s = now if self._level == logging.WARNING else self._warned_s
            _log.log(self._level, "results %s: %s; results are lost until it works", self._path, reason)
        self._fault = f"results are lost: {self._path}: {reason}"

    def _write_whole(self, line: bytes) -> None:
        """Write the whole line, or leave the file unchanged if the disk is full."""
        assert self._file is not None
        start = self._file.tell()
        written = self._file.write(line)
        if written != len(line):
            self._file.truncate(start)
            self._file.seek(start)
            raise OSError(errno.ENOSPC, "no space for a whole line")

    def _rotate(self) -> None:
        self.close()
        for number in range(self._keep, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = self._path if number == 1 else self._path.with_name(f"{self._path.name}.{number - 1}")
            if newer.exists():
                newer.replace(older)
        self._file = self._path.open("wb" if not self._keep else "ab", buffering=0)


def _end_half_line(path: Path, file: BinaryIO) -> None:
    """End the last line of the file at `path` if it lacks its line break."""
    # A power cut may have left half a line, and the next result must start a line of its own.
    size = path.stat().st_size
    if size:
        with path.open("rb") as reader:
            reader.seek(size - 1)
            if reader.read(1) != b"\n":
                file.write(b"\n")

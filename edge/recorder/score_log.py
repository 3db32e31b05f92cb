"""Append pieces of the score log to its file, which is rotated once: for tuning, so not worth an fsync."""

import errno
import logging
import os
import stat
from contextlib import suppress
from pathlib import Path

from edge.events.log_clock import ClockPiece

_log = logging.getLogger(__name__)

_MOST_CLOCK = 200  # bytes of a piece about the clock


class ScoreLogFile:
    """The file and its one predecessor, NAME.1, which together take at most `max_mb`. Used by one thread.

    A piece that cannot be written is lost; that is logged once, and again when writing works.
    """

    def __init__(self, path: Path, max_mb: int) -> None:
        self._path, self._half = path, max_mb * 1_000_000 // 2
        self._file: int | None = None
        self._size = 0
        self._fails = False
        self._clock: ClockPiece | None = None

    def append(self, piece: bytes, clock: ClockPiece | None = None) -> None:
        """Write one piece, behind what the clock reads if the file does not hold that yet. Raises nothing: events
        matter more."""
        try:
            if self._file is None:
                self._open()
            elif self._size and self._size + len(piece) + _MOST_CLOCK > self._half:
                self._rotate()
            if clock is not None and clock.replaces(self._clock):
                self._write(clock.packed() + piece)
                self._clock = clock
            else:
                self._write(piece)
        except OSError as error:
            self.close()
            if not self._fails:
                _log.warning("score log %s: cannot write: %s: its scores are lost", self._path, error.strerror)
            self._fails = True
            return
        if self._fails:
            _log.info("score log %s: is written again", self._path)
        self._fails = False

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._file is not None:
            os.close(self._file)
            self._file = self._clock = None

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._file = os.open(self._path, flags, 0o640)
        there = os.fstat(self._file)
        if not stat.S_ISREG(there.st_mode):  # such as a pipe, whose reader would hold up the recorder
            raise OSError(errno.EINVAL, "not a plain file")
        self._size = there.st_size

    def _rotate(self) -> None:
        self.close()
        with suppress(FileNotFoundError):  # someone removed it
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        self._open()

    def _write(self, piece: bytes) -> None:
        assert self._file is not None
        written = os.write(self._file, piece)
        if written < len(piece):
            # The disk is full. A piece is whole records, and half a one would spoil what follows.
            os.ftruncate(self._file, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += written

"""Write results for programs: one JSON object a line, to a stream or to a file that is rotated."""

import logging
import time
from pathlib import Path
from typing import BinaryIO

import msgspec

from edge.errors import StorageError
from edge.printable import printable_json
from edge.results import Result
from edge.sinks.rotated import RotatedFile

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
    """JSON lines to a file that is rotated at max_bytes; `keep` old ones stay (edge.sinks.rotated)."""

    def __init__(self, path: Path, *, max_bytes: int, keep: int, patient: bool = False) -> None:
        """Open the file. Raises StorageError if that fails; with `patient` it is logged instead, and tried again."""
        self._path = path
        self._file = RotatedFile(path, max_bytes=max_bytes, keep=keep)
        self._fault: str | None = None
        self._warned_s, self._level = float("-inf"), logging.WARNING
        try:
            self._file.open()
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
        try:
            self._file.write(_line(result))
        except OSError as error:
            self._note_failure(error)
            self._file.close()
            return
        if self._fault is not None:
            _log.log(self._level, "results %s: writing works again", self._path)
            self._fault = None

    def close(self) -> None:
        """See Sink.close."""
        self._file.close()

    def _note_failure(self, error: OSError) -> None:
        reason = f"cannot write: {error.strerror or error}"
        if self._fault is None:
            # A disk that is full to a line takes every other result: that is one failure, and not ten a second.
            now = time.monotonic()
            self._level = logging.WARNING if now - self._warned_s > _AGAIN_S else logging.DEBUG
            self._warned_s = now if self._level == logging.WARNING else self._warned_s
            _log.log(self._level, "results %s: %s; results are lost until it works", self._path, reason)
        self._fault = f"results are lost: {self._path}: {reason}"

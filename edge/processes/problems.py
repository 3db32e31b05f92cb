"""Keep the last warnings and errors of a process in a small file, for those who may not read the journal."""

import contextlib
import logging
import threading
import time
from collections import deque
from pathlib import Path
from typing import Annotated

import msgspec

from edge.errors import DataError, MissingInputError
from edge.printable import one_line
from edge.storage import read_bounded, replace_file

PROBLEMS = "problems.json"
MOST = 50
_LONGEST = 500
_MOST_BYTES = 1 << 18
# A folder in memory, and still: a fault that repeats is no reason to write it a thousand times a second.
_EVERY_S = 1.0

_log = logging.getLogger(__name__)


class Problem(msgspec.Struct, frozen=True):
    """A line of the log. level: as logging has it, such as WARNING. words: printable, without credentials."""

    wall_s: Annotated[float, msgspec.Meta(ge=-1e11, le=1e11)]
    level: str
    words: str


class ProblemLog(logging.Handler):
    """The last 50 records from WARNING on, those of the last run included. A file that cannot be written is no fault:
    the log itself goes on."""

    def __init__(self, path: Path | None) -> None:
        """path: None: in memory only."""
        super().__init__(logging.WARNING)
        self._path = path
        self._problems: deque[Problem] = deque(maxlen=MOST)
        self._written_s = float("-inf")
        self._timer: threading.Timer | None = None
        if path is not None:
            with contextlib.suppress(MissingInputError, DataError):
                self._problems.extend(read_problems(path))

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler; called under its lock."""
        words = one_line(record.getMessage())[:_LONGEST]
        if record.exc_info and record.exc_info[1] is not None:
            words = one_line(f"{words}: {type(record.exc_info[1]).__name__}: {record.exc_info[1]}")[:_LONGEST]
        self._problems.append(Problem(record.created, record.levelname, words))
        wait_s = self._written_s + _EVERY_S - time.monotonic()
        if wait_s <= 0:
            self._write()
        elif self._timer is None and self._path is not None:
            self._timer = threading.Timer(wait_s, self._write_late)
            self._timer.daemon = True
            self._timer.start()

    def problems(self) -> list[Problem]:
        """Return what it keeps, oldest first."""
        with self.lock or contextlib.nullcontext():
            return list(self._problems)

    def close(self) -> None:
        """Write what waits. See logging.Handler, which calls it at the end of the process."""
        with self.lock or contextlib.nullcontext():
            if self._timer is not None:
                self._timer.cancel()
                self._write()
        super().close()

    def _write_late(self) -> None:
        with self.lock or contextlib.nullcontext():
            self._write()

    def _write(self) -> None:
        self._timer, self._written_s = None, time.monotonic()
        if self._path is None:
            return
        with contextlib.suppress(OSError):  # to be reported by this very log
            replace_file(self._path, msgspec.json.encode(list(self._problems)) + b"\n", 0o640, synced=False)


def keep_problems(folder: Path | None) -> ProblemLog:
    """Begin to keep the problems of this process, in `folder` if there is one."""
    kept = ProblemLog(None if folder is None else folder / PROBLEMS)
    logging.getLogger().addHandler(kept)
    return kept


def read_problems(path: Path) -> list[Problem]:
    """Read such a file, oldest first. Raises MissingInputError if there is none, DataError if it is none."""
    try:
        found = msgspec.json.decode(read_bounded(path, _MOST_BYTES, follow=False), type=list[Problem])
    except OSError as error:
        raise MissingInputError(f"problems {path}: cannot read: {error.strerror or error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"problems {path}: {error}: written by another version?") from error
    return found[-MOST:]

"""Set up the log of a process: one line a record, each with its priority, and no message that begins another line.

The last warnings are also kept in a small file, for those who may not read the journal, such as the pages.
"""

import contextlib
import logging
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Annotated

import msgspec

from edge.decoding import DecodingError, decode_json
from edge.errors import DataError, MissingInputError
from edge.printable import one_line
from edge.storage import read_bounded, replace_file

# Set for a child by edge.processes.child, a random word: only a line that begins with it is the child's own log. Text
# of a model or a stream that a native library prints cannot know it, and so cannot pass for an error of ours.
MARK_VARIABLE = "FIELDFARE_LOG_MARK"
LEVELS = {level: logging.getLevelName(level) for level in (10, 20, 30, 40, 50)}
# What journald takes from the beginning of a line (man sd-daemon).
_PRIORITIES = {10: 7, 20: 6, 30: 4, 40: 3, 50: 2}

PROBLEMS = "problems.json"
_MOST = 50
_LONGEST = 500
_MOST_BYTES = 1 << 18
# A folder in memory, and still: a fault that repeats is no reason to write it a thousand times a second.
_EVERY_S = 1.0

_log = logging.getLogger(__name__)


class LineFormatter(logging.Formatter):
    """Formats a record as one line, and a traceback with it as one line each. `head` returns what each line begins
    with; a message is printable and without credentials (edge.printable)."""

    def __init__(self, head: Callable[[logging.LogRecord], str]) -> None:
        super().__init__()
        self._head = head

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter.format."""
        trace = self.formatException(record.exc_info).splitlines() if record.exc_info else []
        head = self._head(record)
        return "\n".join(head + one_line(line) for line in (record.getMessage(), *trace))


def is_journal() -> bool:
    """Return whether journald reads our standard error."""
    # A terminal that was started by systemd inherits the variable.
    return "JOURNAL_STREAM" in os.environ and not sys.stderr.isatty()


def priority(level: int) -> str:
    """Return what a line of this level begins with: `<4>` for a warning under journald, otherwise nothing."""
    return f"<{_PRIORITIES[level]}>" if is_journal() else ""


def log_to_stderr() -> None:
    """Log to standard error, for people or for the journal, which adds the time itself."""
    if is_journal():
        _begin(lambda record: f"{priority(record.levelno)}{record.levelname} ")
    else:
        clock = logging.Formatter(datefmt="%H:%M:%S")
        _begin(lambda record: f"{clock.formatTime(record, clock.datefmt)} {record.levelname} ")


def log_to_parent() -> None:
    """Log to standard error so that edge.processes.child relays each line at its level. Called in a child."""
    mark = os.environ.get(MARK_VARIABLE, "")
    _begin(lambda record: f"{mark}{record.levelname} ")


def _begin(head: Callable[[logging.LogRecord], str]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(head))
    logging.basicConfig(handlers=[handler], level=logging.INFO)


def hook_uncaught() -> None:
    """Print errors that nobody catches, in whichever thread, as the log's lines are printed, and not as they are."""
    sys.excepthook = _show
    threading.excepthook = lambda hook: _show(hook.exc_type, hook.exc_value, hook.exc_traceback)


def _show(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    mark = os.environ.get(MARK_VARIABLE)
    head = priority(logging.ERROR) if mark is None else f"{mark}ERROR "
    for lines in traceback.format_exception(kind, error, trace):
        for line in lines.splitlines():
            print(head + one_line(line), file=sys.stderr)  # noqa: T201 - as the interpreter does, without a logger


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
        self._problems: deque[Problem] = deque(maxlen=_MOST)
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
        found = decode_json(read_bounded(path, _MOST_BYTES, follow=False), list[Problem])
    except OSError as error:
        raise MissingInputError(f"problems {path}: cannot read: {error.strerror or error}") from error
    except DecodingError as error:
        raise DataError(f"problems {path}: {error}: written by another version?") from error
    return found[-_MOST:]

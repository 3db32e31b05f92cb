"""Set up the log of a process: one line a record, each with its priority, and no message that begins another line."""

import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from types import TracebackType

from edge.printable import one_line

# Set for a child by edge.processes.child, a random word: only a line that begins with it is the child's own log. Text
# of a model or a stream that a native library prints cannot know it, and so cannot pass for an error of ours.
MARK_VARIABLE = "FIELDFARE_LOG_MARK"
LEVELS = {level: logging.getLevelName(level) for level in (10, 20, 30, 40, 50)}
# What journald takes from the beginning of a line (man sd-daemon).
_PRIORITIES = {10: 7, 20: 6, 30: 4, 40: 3, 50: 2}


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

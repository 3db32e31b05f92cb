"""Train on class folders in a process of its own, whose last lines are kept to be shown."""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from edge.errors import MissingInputError
from edge.portable.system import can_fork
from edge.printable import one_line
from edge.processes.process import PIPE, STDOUT, Command, Process, describe_exit, module_command, tied_command
from edge.storage import read_bounded

_MOST_LINES, _LONGEST = 40, 300
_MOST_REPORT = 64 << 20
_REAP_S = 3.0

Make = Callable[[Path, Path], Command]


def is_installed() -> bool:
    """Return whether `fieldfare train` is there."""
    return bool(entry_points(group="fieldfare.commands", name="train"))


def train_command(photos: Path, bundle: Path) -> Command:
    """Return the command that trains on class folders and writes a bundle, with its report beside it."""
    return module_command("edge", ["train", os.fspath(photos), "--out", os.fspath(bundle)])


@dataclass(frozen=True, slots=True)
class Progress:
    """How a training goes. lines: the last that it printed. seconds: since it began. ended: how, in words; "" while it
    runs. good: whether it ended well. bundle: what it writes."""

    lines: tuple[str, ...]
    seconds: float
    ended: str
    good: bool
    bundle: Path


class Training:
    """One training at a time; it ends with this process. Thread-safe."""

    def __init__(self, make: Make = train_command) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._process: Process | None = None
        self._lifeline: int | None = None
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._begun_s = self._took_s = 0.0
        self._ended, self._good = "", False
        self._bundle: Path | None = None

    def begin(self, photos: Path, bundle: Path) -> None:
        """Begin, unless one is running. Raises OSError if it cannot be started."""
        with self._lock:
            if self._process is not None:
                return
            self._lines.clear()
            self._process = self._started(self._make(photos, bundle))
            self._begun_s, self._bundle = time.monotonic(), bundle
            self._ended, self._good = "", False
            threading.Thread(target=self._follow, args=(self._process,), daemon=True, name="training").start()

    def _started(self, command: Command) -> Process:
        if not can_fork():
            return Process(command, stdout=PIPE, stderr=STDOUT)
        theirs, self._lifeline = os.pipe()  # if this process is killed, so is the training
        try:
            return Process(tied_command(command, theirs), stdout=PIPE, stderr=STDOUT, pass_fds=[theirs])
        finally:
            os.close(theirs)

    def _follow(self, process: Process) -> None:
        rest = b""
        while piece := process.stdout.read(4096):
            *lines, rest = (rest + piece).replace(b"\r", b"\n").split(b"\n")
            rest = rest[-_LONGEST:]
            self._lines.extend(one_line(line.decode(errors="replace"))[:_LONGEST] for line in lines if line.strip())
        process.wait(_REAP_S)
        status = process.exit_status()
        with self._lock:
            process.end(_REAP_S)
            self._took_s, self._good = time.monotonic() - self._begun_s, status == 0
            self._ended = describe_exit(-9 if status is None else status)
            self._process = None
            self._let_go()

    def _let_go(self) -> None:
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    def progress(self) -> Progress | None:
        """Return how the last one goes or went; None if none was begun."""
        with self._lock:
            if self._bundle is None:
                return None
            seconds = self._took_s if self._ended else time.monotonic() - self._begun_s
            return Progress(tuple(self._lines), seconds, self._ended, self._good, self._bundle)

    def report(self) -> bytes:
        """Return the page of the last training's report. Raises MissingInputError if there is none."""
        with self._lock:
            bundle = self._bundle
        if bundle is not None:
            with contextlib.suppress(OSError):
                return read_bounded(bundle.with_name(f"{bundle.name}-report.html"), _MOST_REPORT, follow=False)
        raise MissingInputError("there is no report: train first")

    def close(self) -> None:
        """End what runs; the same command resumes it."""
        with self._lock:
            process = self._process
            if process is not None:
                process.kill()

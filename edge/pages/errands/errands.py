"""Have a command of Fieldfare run beside the pages: bounded in time and memory, with the least priority, one at a time.

The words of the commands are made here and by the views, from fixed lists, dates and numbers; none is a text that a
browser sent.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from edge.errors import UnavailableError
from edge.printable import one_line
from edge.processes.process import Command, last_line, module_command
from edge.processes.run import Finished, run

# The unit has 256 MB for the pages and this.
MEMORY = 160 << 20
_MOST_OUTPUT = 1 << 20


def bounded(words: Sequence[str], variables: dict[str, str] | None = None, memory: int = MEMORY) -> Command:
    """Return the command that runs `fieldfare WORDS` within these bounds. memory: bytes that it may allocate."""
    return module_command("edge.pages.errands.bounded", [str(memory), *words], variables)


class BusyError(UnavailableError):
    """Another errand goes on."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of an errand. words: what was run. ended_wall_s, ended_mono_s: when, on both clocks."""

    words: tuple[str, ...]
    finished: Finished
    ended_wall_s: float
    ended_mono_s: float

    @property
    def is_well(self) -> bool:
        """Whether it ended by itself, with status 0."""
        return self.finished.killed_for is None and self.finished.status == 0

    @property
    def why(self) -> str:
        """The last line that it printed to standard error."""
        return one_line(last_line(self.finished.errors))

    @property
    def lines(self) -> list[str]:
        """All lines of that."""
        return _lines(self.finished.errors)

    @property
    def printed(self) -> list[str]:
        """All lines that it printed to standard output."""
        return _lines(self.finished.output)


@dataclass(frozen=True, slots=True)
class Running:
    """An errand that goes on. errors: what it printed to standard error so far."""

    name: str
    since_wall_s: float
    since_mono_s: float
    cancelled: threading.Event
    errors: bytearray

    @property
    def latest(self) -> str:
        """Its last line so far."""
        return one_line(last_line(bytes(self.errors)))

    @property
    def lasts_s(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self.since_mono_s


class Errands:
    """One errand at a time, and how the last one of each name ended. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Running | None = None
        self._ended: dict[str, Ended] = {}

    def begin(
        self,
        name: str,
        words: Sequence[str],
        limit_s: float,
        *,
        memory: int = MEMORY,
        then: Callable[[Ended], None] = lambda _: None,
    ) -> None:
        """Begin `fieldfare WORDS`. then: called with how it ended, before another may begin. Raises BusyError if
        another errand goes on."""
        running = self._claim(name)

        def work() -> None:
            ended: Ended | None = None
            try:
                ended = _ended(words, _run(bounded(words, memory=memory), limit_s, running))
                then(ended)
            finally:
                self._release(running, ended)

        # A daemon: the end of the pages must not wait for it. The command ends with them, as it is tied to them.
        try:
            threading.Thread(target=work, name=name, daemon=True).start()
        except RuntimeError as error:  # no memory, or as many threads as the unit may have
            self._release(running, None)
            raise UnavailableError(f"{name} cannot begin: {error}: try again later") from error

    @contextmanager
    def held(self, name: str) -> Iterator[Running]:
        """Be the one errand in the block, as a download is. Raises BusyError if another one goes on."""
        running = self._claim(name)
        try:
            yield running
        finally:
            self._release(running, None)

    def running(self) -> Running | None:
        """Return the one that goes on."""
        return self._running

    def ended(self, name: str) -> Ended | None:
        """Return how the last one of this name ended, since the pages started."""
        return self._ended.get(name)

    def cancel(self) -> None:
        """End the one that goes on, if there is one."""
        running = self._running
        if running is not None:
            running.cancelled.set()

    def refuse_second(self) -> None:
        """Raise BusyError if an errand goes on."""
        running = self._running
        if running is not None:
            raise BusyError(f"{running.name} goes on")

    def _claim(self, name: str) -> Running:
        with self._lock:
            self.refuse_second()
            self._running = Running(name, time.time(), time.monotonic(), threading.Event(), bytearray())
            return self._running

    def _release(self, running: Running, ended: Ended | None) -> None:
        with self._lock:
            self._running = None
            if ended is not None:
                self._ended[running.name] = ended


def _lines(printed: bytes) -> list[str]:
    return [one_line(line) for line in printed.decode(errors="replace").splitlines() if line.strip()]


def _ended(words: Sequence[str], finished: Finished) -> Ended:
    return Ended(tuple(words), finished, time.time(), time.monotonic())


def _run(command: Command, limit_s: float, running: Running) -> Finished:
    try:
        return run(
            command,
            limit_s,
            max_output=_MOST_OUTPUT,
            max_errors=_MOST_OUTPUT,
            cancelled=running.cancelled,
            errors=running.errors,
            tied=True,
        )
    except OSError as error:  # no memory, or too many processes
        return Finished(-1, b"", f"cannot start it: {error.strerror or error}".encode(), None)

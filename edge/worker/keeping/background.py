"""Run work in order on one thread of low priority, beside the threads that classify."""

import logging
import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

_log = logging.getLogger(__name__)

# Nine tenths of a contended core stay with the threads that classify. Not lower: while this thread holds the
# interpreter lock, all others wait for it.
_NICE = 10


class BackgroundThread:
    """A thread that does what it is given, in order. `close` ends it. All methods are for one thread."""

    def __init__(self, name: str) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # Each is written by one thread, so neither needs a lock.
        self._given = self._done = 0
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Return how much work has not been done yet."""
        return self._given - self._done

    def give(self, work: Callable[[], None]) -> None:
        """Have this done, after all that was given before. Never waits."""
        self._given += 1
        self._work.put(work)

    def check(self) -> None:
        """Raise the error that ended the thread, if one did."""
        if self._failure is not None:
            raise self._failure

    def close(self, within_s: float) -> bool:
        """Do what was given, then end; False if that is not over after `within_s`. Safe to call twice."""
        ends_s = time.monotonic() + within_s
        self._work.put(None)
        self._thread.join(max(0.0, ends_s - time.monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        except OSError as error:  # a sandbox may forbid it
            _log.debug("%s runs at normal priority: %s", self._thread.name, error)
        try:
            while (work := self._work.get()) is not None:
                work()
                # What it refers to must not wait for the next.
                del work
                self._done += 1
        except BaseException as error:  # noqa: BLE001 - `check` raises it again on the caller's thread
            self._failure = error

"""Define what an output is, and how it reports that nothing goes out, or not all."""

import logging
import threading
import time
from typing import Protocol

from edge.printable import one_line
from edge.processes.outputs_messages import OutputState

_log = logging.getLogger(__name__)
# A failure is news again after so many seconds. A broker that comes and goes in a rhythm could else fill the log.
_AGAIN_S = 600.0


class DeliveryError(Exception):
    """An event that could not be handed on now; it must be tried again."""


class Output(Protocol):
    """One destination of events, with a thread of its own, so that none waits for another."""

    @property
    def state(self) -> OutputState:
        """Return its state; called by any thread."""

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set and `wake` was called. Called again if it raises."""

    def wake(self) -> None:
        """Look for new events, or at `stop`, soon; called by any thread."""


class Fault:
    """Why nothing goes out at present. The first failure is logged as a warning, repeats as debug, and the recovery.

    Set and cleared by one thread; any thread reads `why`.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.why: str | None = None
        self._level = logging.WARNING
        self._warned: dict[str, float] = {}

    def set(self, why: str) -> None:
        """Note a failure."""
        why = one_line(why)
        if why != self.why:
            now = time.monotonic()
            known_s = self._warned.get(why, float("-inf"))
            self._level = logging.WARNING if now - known_s > _AGAIN_S else logging.DEBUG
            if self._level == logging.WARNING:
                self._warned = {text: at_s for text, at_s in self._warned.items() if now - at_s <= _AGAIN_S}
                self._warned[why] = now
            _log.log(self._level, "%s: %s", self._name, why)
        self.why = why

    def clear(self, news: str = "works again") -> None:
        """Note that it works."""
        if self.why is not None:
            _log.log(logging.INFO if self._level == logging.WARNING else logging.DEBUG, "%s: %s", self._name, news)
            self.why = None


class Notices:
    """What is held back or left out while events go out, by subject. Logged as a Fault is.

    Set and cleared by one thread; any thread reads `why`.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._by_subject: dict[str, Fault] = {}

    @property
    def why(self) -> str | None:
        """All of them in one line, None if there are none."""
        # A copy in one step, as another thread may add one.
        return "; ".join(fault.why for fault in list(self._by_subject.values()) if fault.why is not None) or None

    def set(self, subject: str, why: str) -> None:
        """Note one; it replaces the one of the same subject."""
        if subject not in self._by_subject:
            self._by_subject[subject] = Fault(self._name)
        self._by_subject[subject].set(why)

    def clear(self, subject: str, news: str) -> None:
        """Note that it is over, if there was one."""
        fault = self._by_subject.get(subject)
        if fault is not None:
            fault.clear(news)

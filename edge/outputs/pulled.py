"""Run an output that takes one event after another: a file, a program, a pin."""

import threading
from typing import Protocol

from edge.outputs.base import DeliveryError, Fault
from edge.outputs.feed import Feed, Gap, Item
from edge.processes.outputs_messages import OutputState
from edge.store.records import StoredEvent

_BATCH = 100
# What could not be delivered is tried again after so many seconds; the last value stays.
_AGAIN_S = (1.0, 2.0, 5.0, 15.0, 30.0)
# The longest wait, after which the cursor is written if that is due.
_IDLE_S = 60.0


class Taker(Protocol):
    """What events are handed to. Used by one thread."""

    def take(self, what: StoredEvent | Gap, stop: threading.Event) -> None:
        """Hand on one event, or skip it. Raises DeliveryError if it must be tried again later."""

    def next_s(self) -> float | None:
        """Return after how many seconds `tick` must be called, None for never."""

    def tick(self) -> None:
        """Do what is due."""

    def close(self) -> None:
        """End; called once."""


class PulledOutput:
    """An output that hands one event after another to a taker."""

    def __init__(self, name: str, feed: Feed, taker: Taker) -> None:
        self._name, self._feed, self._taker = name, feed, taker
        self._fault = Fault(name)
        self._bell = threading.Event()
        self._tries = 0

    @property
    def state(self) -> OutputState:
        """See Output.state."""
        return OutputState(name=self._name, fault=self._fault.why or self._feed.fault.why, waiting=self._feed.waiting)

    def wake(self) -> None:
        """See Output.wake."""
        self._bell.set()

    def run(self, stop: threading.Event) -> None:
        """See Output.run."""
        self._feed.again()
        try:
            while not stop.is_set():
                self._bell.clear()
                self._taker.tick()
                items = self._feed.next(_BATCH)
                if not items:
                    self._bell.wait(self._patience_s())
                    self._feed.tick()
                elif not self._hand_on(items, stop):
                    self._feed.again()
                    self._pause(stop)
        finally:
            self._feed.close()
            self._taker.close()

    def _hand_on(self, items: list[Item], stop: threading.Event) -> bool:
        """Return False if one must be tried again."""
        for item in items:
            if stop.is_set():
                return True
            try:
                self._taker.take(item.what, stop)
            except DeliveryError as error:
                if not stop.is_set():  # else it was cut short, which is no fault
                    self._fault.set(str(error))
                return False
            self._fault.clear()
            self._tries = 0
            self._feed.done(item)
            self._taker.tick()
        return True

    def _pause(self, stop: threading.Event) -> None:
        """Wait before the next try; new events do not shorten it."""
        pause_s = _AGAIN_S[min(self._tries, len(_AGAIN_S) - 1)]
        self._tries += 1
        stop.wait(pause_s)

    def _patience_s(self) -> float:
        due_s = (self._taker.next_s(), self._feed.next_s(), _IDLE_S)
        return min(seconds for seconds in due_s if seconds is not None)

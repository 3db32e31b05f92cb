"""Pace replayed and synthetic sources in real time."""

import threading
import time

from edge.errors import EndOfStream


class Pacer:
    """A timer that releases one frame every 1/fps seconds of the monotonic clock, or at once if fps is None.

    A caller that comes late does not wait again: the schedule moves on, as a camera's does.
    """

    def __init__(self, fps: float | None) -> None:
        self._period_s = 1.0 / fps if fps else 0.0
        self._due_s: float | None = None
        self._stop = threading.Event()

    def wait(self) -> None:
        """Sleep until the next frame is due. Raises EndOfStream once stopped."""
        now = time.monotonic()
        if self._period_s:
            due = now if self._due_s is None else self._due_s
            if due > now:
                self._stop.wait(due - now)
            self._due_s = max(due, now - self._period_s) + self._period_s
        if self._stop.is_set():
            raise EndOfStream("the source was closed")

    def pause(self, seconds: float) -> None:
        """Sleep for `seconds`. Raises EndOfStream once stopped."""
        if self._stop.wait(seconds):
            raise EndOfStream("the source was closed")

    def stop(self) -> None:
        """End the current and every later wait."""
        self._stop.set()

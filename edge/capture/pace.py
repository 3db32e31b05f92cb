"""Pace replayed and synthetic sources in real time."""

import threading
import time

from edge.errors import EndOfStream


def rate_in_words(fps: float | None, *, loop: bool) -> str:
    """Return how a replay is paced, for its description; None is flat out."""
    return (f"{fps:g} frames/s" if fps else "flat out") + (", looped" if loop else "")


class Pacer:
    """A timer that releases one frame every 1/fps seconds of the monotonic clock, or at once if fps is None. A caller
    with frames of their own times gives the seconds before each.

    A caller that comes late does not wait again: the schedule moves on, as a camera's does.
    """

    def __init__(self, fps: float | None) -> None:
        self._period_s = 1.0 / fps if fps else 0.0
        self._due_s: float | None = None
        self._stop = threading.Event()

    def wait(self, gap_s: float | None = None) -> None:
        """Sleep until the next frame is due. Raises EndOfStream once stopped.

        gap_s: how long after the last frame that is; None: 1/fps.
        """
        now = time.monotonic()
        period_s = self._period_s if gap_s is None else gap_s
        if period_s:
            # In arrears by one period at most: after a pause there is no burst, of which a live reader would lose most.
            due = now if self._due_s is None else max(self._due_s + period_s, now - period_s)
            if due > now:
                self._stop.wait(due - now)
            self._due_s = due
        self.check()

    def check(self) -> None:
        """Raise EndOfStream once stopped."""
        if self._stop.is_set():
            raise EndOfStream("the source was closed")

    def pause(self, seconds: float) -> None:
        """Sleep for `seconds`. Raises EndOfStream once stopped."""
        if self._stop.wait(seconds):
            raise EndOfStream("the source was closed")

    def stop(self) -> None:
        """End the current and every later wait."""
        self._stop.set()

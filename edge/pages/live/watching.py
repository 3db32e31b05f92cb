"""Leave word for the service that somebody looks."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from edge.live.request import FRESH_S, Focus, Wanted, leave

# The service looks as often; many watchers share one request.
_EVERY_S = 0.5


class Watching:
    """What all who look at the pages want to see, in one request. For any thread.

    folder: edge.live.places.requests_of.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._clock = folder, clock
        self._lock = threading.Lock()
        self._picture_s = self._focus_s = self._left_s = -float("inf")
        self._focus = Focus()
        self._left: Wanted | None = None
        self._fault: str | None = None

    def want(self, focus: Focus | None = None) -> str | None:
        """Request the newest picture, or the part of it that `focus` names; of several parts the last one counts.
        Returns why the service cannot get to know of it; None if it can."""
        with self._lock:
            now = self._clock()
            if focus is None:
                self._picture_s = now
            else:
                self._focus, self._focus_s = focus, now
            wanted = Wanted(
                picture=now - self._picture_s < FRESH_S,
                focus=self._focus if now - self._focus_s < FRESH_S else None,
            )
            if wanted != self._left or now - self._left_s >= _EVERY_S:
                self._leave(wanted, now)
            return self._fault

    def _leave(self, wanted: Wanted, now: float) -> None:
        self._left, self._left_s = wanted, now
        try:
            self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)  # by hand there is no unit that makes it
            leave(self._folder, wanted)
            self._fault = None
        except OSError as error:
            self._fault = f"{self._folder}: {error.strerror or error}"

"""Measure the seconds of each stage of a training."""

import time


class Clock:
    """A stopwatch that starts when it is made."""

    def __init__(self) -> None:
        self.started = self._last = time.monotonic()
        self.stages: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """Count the time since the last lap as `stage`."""
        now = time.monotonic()
        self.stages[stage] = round(now - self._last, 1)
        self._last = now

    @property
    def total(self) -> float:
        """Seconds since the start."""
        return round(time.monotonic() - self.started, 1)

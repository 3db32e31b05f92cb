"""Both clocks at once: the monotonic one orders and measures, the wall clock is for people."""

import logging
import time

_log = logging.getLogger(__name__)

_ASKEW_S = 0.1
_OLDEST_FIRST_S = 10.0


def stamp() -> tuple[float, float]:
    """Now as (monotonic seconds, wall seconds since 1970 UTC)."""
    return time.monotonic(), time.time()


class DeviceClock:
    """Ages of frames by a camera's own timestamps, where those are of the clock that they should be of: the first
    frame shows it. Used by one thread."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._trusted: bool | None = None

    def age_s(self, claimed_s: float | None) -> float:
        """Seconds since capture. claimed_s: by the timestamp, None without one; whatever it says of the first
        frame, that is hardly older than a few seconds."""
        if self._trusted is None:
            self._trusted = claimed_s is not None and -_ASKEW_S <= claimed_s <= _OLDEST_FIRST_S
            if not self._trusted and claimed_s is not None:
                _log.debug("%s: its timestamps are of another clock: frames count from their arrival", self._what)
        return max(0.0, claimed_s) if self._trusted and claimed_s is not None else 0.0

"""Read both clocks: the monotonic one to order and measure, the wall clock for people."""

import logging
import time

_log = logging.getLogger(__name__)

_ASKEW_S = 0.1
_OLDEST_FIRST_S = 10.0
_MOST_OLD = 30


def stamp() -> tuple[float, float]:
    """Return the time now as (monotonic seconds, wall seconds since 1970 UTC)."""
    return time.monotonic(), time.time()


class DeviceClock:
    """A camera's own timestamps, trusted if the age of the first frame is plausible, until the clock jumps. Used by
    one thread."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._trusted: bool | None = None
        self._old = 0  # frames in a row that claim to be older than a camera's buffers can make them

    def age_s(self, claimed_s: float | None) -> float:
        """Return the seconds since capture; 0 if the timestamps are not trusted.

        claimed_s: the age by the camera's timestamp, or None without one.
        """
        # The first frame is hardly older than a few seconds: a greater age shows that the timestamps are of another
        # clock.
        if self._trusted is None:
            self._trusted = claimed_s is not None and -_ASKEW_S <= claimed_s <= _OLDEST_FIRST_S
            if not self._trusted and claimed_s is not None:
                _log.debug("%s: its timestamps are of another clock: frames count from their arrival", self._what)
        if not self._trusted or claimed_s is None:
            return 0.0
        self._old = self._old + 1 if claimed_s > _OLDEST_FIRST_S else 0
        if self._old > _MOST_OLD:
            _log.warning("%s: its clock jumped: frames count from their arrival", self._what)
            self._trusted = False
        return max(0.0, claimed_s) if self._trusted else 0.0

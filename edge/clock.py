"""Both clocks at once: the monotonic one orders and measures, the wall clock is for people."""

import time


def stamp() -> tuple[float, float]:
    """Now as (monotonic seconds, wall seconds since 1970 UTC)."""
    return time.monotonic(), time.time()

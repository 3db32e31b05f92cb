"""Decide what a light shows: the service's state to a mode, a mode to seconds of light and darkness. Pure.

Each mode is known at a glance, without a clock: by the number of flashes, or by a light that never rests.
"""

from typing import Final, Literal

from edge.outputs.service_status import STALE_S, ServiceStatus

Mode = Literal["running", "degraded", "full", "recovering", "asleep", "down"]

_FLASH_S, _GAP_S, _PERIOD_S = 0.1, 0.3, 5.0


def _flashes(number: int, period_s: float = _PERIOD_S) -> tuple[float, ...]:
    """Return so many flashes in a period, and then darkness."""
    lit = (_FLASH_S, _GAP_S) * number
    return (*lit[:-1], period_s - sum(lit[:-1]))


# Seconds of light, of darkness, of light and so on, over and over; one number: always lit. A flash of 0.1 s in 5 s
# takes a fiftieth of the light's current, and asleep even less, since that is when a battery must last.
PATTERNS: Final[dict[Mode, tuple[float, ...]]] = {
    "running": _flashes(1),
    "degraded": _flashes(2),
    "full": _flashes(3),
    "recovering": (0.5, 0.5),
    "asleep": _flashes(1, period_s=30.0),
    "down": (1.0,),
}


def mode_of(status: ServiceStatus | None, boot: str, now_s: float) -> Mode:
    """Return what to show. status: what the service last reported, None if nothing. boot: this boot's id. now_s:
    monotonic."""
    if status is None or status.boot_id != boot or now_s - status.updated_mono_s > STALE_S:
        return "down"
    if status.state in ("starting", "recovering"):
        return "recovering"
    if status.state not in ("running", "degraded", "asleep"):
        return "down"
    # Events that wait in memory are lost with the next power cut: that comes before what is merely not as configured.
    if status.events is not None and status.events.fault is not None:
        return "full"
    return {"running": "running", "degraded": "degraded", "asleep": "asleep"}[status.state]  # type: ignore[return-value]


def light_at(mode: Mode, elapsed_s: float) -> tuple[bool, float]:
    """Return whether it is lit `elapsed_s` after the mode began, and the seconds until that changes."""
    pattern = PATTERNS[mode]
    if len(pattern) == 1:
        return True, float("inf")
    left_s = elapsed_s % sum(pattern)
    for number, seconds in enumerate(pattern):
        if left_s < seconds:
            return number % 2 == 0, seconds - left_s
        left_s -= seconds
    return True, pattern[0]  # the period's end, missed by rounding

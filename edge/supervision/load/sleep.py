"""Decide by the schedule whether the camera must be awake, whatever becomes of the wall clock."""

import time
from typing import Protocol

from edge.events.records import ClockQuality

# Both clocks are compared so often: a wall clock that is set is noticed as soon.
_EVERY_S = 1.0
# A time server slews the clock by less between two looks.
_JUMP_S = 1.0


class Reading(Protocol):
    """The wall clock at one moment."""

    @property
    def offset_s(self) -> float:
        """Wall time minus monotonic time."""

    @property
    def quality(self) -> ClockQuality:
        """How far the wall time can be trusted."""


class Clock(Protocol):
    """The wall clock (edge.events.wall_clock)."""

    def look(self) -> Reading:
        """Read it."""


class Schedule(Protocol):
    """When the camera must be awake (edge.events.schedule)."""

    def is_awake(self, wall_s: float) -> bool:
        """Return whether it must be awake at this time."""

    def next_change(self, wall_s: float) -> float | None:
        """Return when that changes next, None if it never does."""


class Sleep:
    """The schedule, followed as long as the wall clock can be trusted. Used by one thread.

    awake: must the camera be awake?
    until_wall_s: when that changes, None if that is not known.
    quality: of the wall clock.
    """

    def __init__(self, schedule: Schedule, clock: Clock) -> None:
        self._schedule, self._clock = schedule, clock
        self._next_s = float("-inf")
        self._offset_s: float | None = None  # when the schedule was last looked up
        self.awake = True
        self.until_wall_s: float | None = None
        self.quality: ClockQuality = "none"

    @property
    def reason(self) -> str | None:
        """Why the schedule is not followed; None if it is."""
        return "the schedule is not followed: the time is not known" if self.quality == "none" else None

    @property
    def words(self) -> str:
        """Until when it sleeps, for people."""
        if self.until_wall_s is None:
            return "by the schedule"
        moment, today = time.localtime(self.until_wall_s), time.localtime(time.time())
        same_day = (moment.tm_year, moment.tm_yday) == (today.tm_year, today.tm_yday)
        return f"by the schedule, until {time.strftime('%H:%M' if same_day else '%F %H:%M', moment)}"

    def look(self, now: float) -> None:
        """Read the clock if that is due, and look up the schedule if anything changed. now: monotonic seconds."""
        if now < self._next_s:
            return
        self._next_s = now + _EVERY_S
        reading = self._clock.look()
        self.quality = reading.quality
        if reading.quality == "none":
            # A Pi without a clock begins at its last shutdown, or in 1970. Rather too many frames than none.
            self.awake, self.until_wall_s, self._offset_s = True, None, None
            return
        wall_s = now + reading.offset_s
        jumped = self._offset_s is None or abs(reading.offset_s - self._offset_s) > _JUMP_S
        if jumped or (self.until_wall_s is not None and wall_s >= self.until_wall_s):
            self._offset_s = reading.offset_s
            self.awake, self.until_wall_s = self._schedule.is_awake(wall_s), self._schedule.next_change(wall_s)

"""Find when the camera is awake: windows by the clock, or by the sun."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import get_args
from zoneinfo import ZoneInfo

from edge.config.keeping import Day, Schedule, Window
from edge.config.settings import Settings
from edge.events.sun import Sun

_DAYS: tuple[str, ...] = get_args(Day)
_NOON = time(12)
# A window may begin up to two clock days from the day that it belongs to: by an offset of almost 13 hours to a sunrise
# at midnight, at a place whose clock shows another place's time. It may end two days after that.
_AROUND = range(-4, 3)
# By the clock a week shows all, and a day more if the clock is changed. By the sun a polar night lasts half a year.
_CLOCK_DAYS, _SUN_DAYS = 9, 400

Span = tuple[float, float]


def timetable_of(settings: Settings) -> "Timetable":
    """Return the times of these settings. Raises MissingPackageError."""
    latitude, longitude = settings.device.latitude, settings.device.longitude
    position = None if latitude is None or longitude is None else (latitude, longitude)
    return Timetable(settings.schedule, position)


class Timetable:
    """The times at which the camera is awake, by the wall clock, which the caller must trust.

    - schedule: without a window, the camera is always awake.
    - position: latitude and longitude; must be given if a window needs the sun.

    A time that a change of the clock leaves out counts by the clock before the change. If it comes twice, a window
    begins at the first and ends at the second. Sunrise and sunset on days without them: edge.events.sun.

    Raises MissingPackageError if a window needs the sun and astral does not import.
    """

    def __init__(self, schedule: Schedule, position: tuple[float, float] | None = None) -> None:
        self._windows = schedule.awake
        self._zone = None if schedule.timezone is None else ZoneInfo(schedule.timezone)
        self._sun: Sun | None = None
        if any(window.needs_sun for window in self._windows):
            if position is None:
                raise ValueError("a window that needs the sun, and no position")
            self._sun = Sun(*position)
        self._spans_of = lru_cache(maxsize=2 * _SUN_DAYS)(self._find_spans)

    def is_awake(self, wall_s: float) -> bool:
        """Return whether the camera is awake at `wall_s`, seconds since 1970."""
        if not self._windows:
            return True
        return any(begin <= wall_s < end for begin, end in self._spans_around(self._day_of(wall_s)))

    def next_change(self, wall_s: float) -> float | None:
        """Return the first moment after `wall_s` at which `is_awake` changes; None if it does not for 400 days, or by
        clock times alone never."""
        awake, today = self.is_awake(wall_s), self._day_of(wall_s)
        for ahead in range(_CLOCK_DAYS if self._sun is None else _SUN_DAYS):
            day = today + timedelta(days=ahead)
            ends = {end for span in self._spans_around(day) for end in span if self._day_of(end) == day}
            for moment in sorted(ends):
                if moment > wall_s and self.is_awake(moment) != awake:
                    return moment
        return None

    def _day_of(self, wall_s: float) -> date:
        return datetime.fromtimestamp(wall_s, self._zone).date()

    def _spans_around(self, day: date) -> Iterator[Span]:
        for offset in _AROUND:
            yield from self._spans_of(day + timedelta(days=offset))

    def _find_spans(self, day: date) -> tuple[Span, ...]:
        """Return the spans of the windows that belong to a day."""
        name = _DAYS[day.weekday()]
        spans = [self._span(window, day) for window in self._windows if not window.days or name in window.days]
        return tuple((begin, end) for begin, end in spans if begin < end)

    def _span(self, window: Window, day: date) -> Span:
        begin, end = self._moment(window.begin, day), self._moment(window.end, day, last=True)
        next_day = _ends_next_day(window)
        if end <= begin if next_day is None else next_day:
            end = self._moment(window.end, day + timedelta(days=1), last=True)
        return begin, end

    def _moment(self, text: str, day: date, *, last: bool = False) -> float:
        """Return a moment of a window in seconds since 1970. last: of a time that comes twice, the second."""
        if not text.startswith("sun"):
            first = datetime.combine(day, time.fromisoformat(text), self._zone)
            # fold=1 alone would put a time that is left out before the change.
            return max(first.timestamp(), first.replace(fold=1).timestamp()) if last else first.timestamp()
        word, offset_s = _parsed(text)
        ahead_s = datetime.combine(day, _NOON, UTC).timestamp() - datetime.combine(day, _NOON, self._zone).timestamp()
        assert self._sun is not None
        rising, setting = self._sun.of_clock_day(day, ahead_s)
        return (rising if word == "sunrise" else setting) + offset_s


def _parsed(text: str) -> tuple[str, int]:
    """Split a moment of the sun, such as "sunset-0:30", into its word and the seconds after that."""
    word, sign, offset = re.split(r"([+-])", text) if text[-1].isdigit() else (text, "+", "0:00")
    hours, minutes = offset.split(":")
    seconds = 3600 * int(hours) + 60 * int(minutes)
    return word, -seconds if sign == "-" else seconds


def _ends_next_day(window: Window) -> bool | None:
    """Return whether a window ends on the day after its begin; None if that depends on the day."""
    # Not by the moments: in a polar night the sunset is no later than the sunrise, and the window is empty.
    by_sun = [moment.startswith("sun") for moment in (window.begin, window.end)]
    if all(by_sun):
        return _parsed(window.end) <= _parsed(window.begin)  # "sunrise" is before "sunset" in the alphabet, too
    return None if any(by_sun) else window.end <= window.begin

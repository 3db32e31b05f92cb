"""Find sunrise and sunset at one place, on any day, also beyond the polar circles."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from edge.errors import INSTALL_DEVICE, MissingPackageError

_DAY = timedelta(days=1)
_DAY_S = 86_400
# Solar noon moves by up to 30 s from day to day, so that half a solar day may be a little longer than 12 hours.
_HALF_DAY_S = _DAY_S / 2 + 600
# Degrees below the horizon of the sun's centre at sunrise, for its radius and refraction.
_BELOW = 0.833


class Sun:
    """The sun as seen from one place. Raises MissingPackageError if astral does not import.

    A **solar day** lasts from the midnight before its noon to that after it, by the sun. If the sun is up on all of it,
    sunrise and sunset are these midnights; if it is down, both are at noon: as if days had become that long or short.
    """

    def __init__(self, latitude: float, longitude: float) -> None:
        try:
            import astral
            import astral.sun
        except ImportError as error:
            raise MissingPackageError(f"sunrise and sunset need astral ({error}): {INSTALL_DEVICE}") from error
        self._sun: Any = astral.sun
        self._place = astral.Observer(latitude, longitude)
        self._rising, self._setting = astral.SunDirection.RISING, astral.SunDirection.SETTING
        self._ahead_s = 240 * longitude  # of UTC, in mean solar time

    def of_clock_day(self, day: date, offset_s: float) -> tuple[float, float]:
        """Return sunrise and sunset of the solar day whose noon is nearest to 12:00 by a clock, in seconds since 1970.

        offset_s: what the clock is ahead of UTC. It need not be that of the place: many devices are set to UTC.
        """
        return self.of_solar_day(day + round((self._ahead_s - offset_s) / _DAY_S) * _DAY)

    def of_solar_day(self, day: date) -> tuple[float, float]:
        """Return sunrise and sunset of the solar day that is called `day` at the place, in seconds since 1970."""
        noon = self._noon_s(day)
        first, last = (self._noon_s(day - _DAY) + noon) / 2, (noon + self._noon_s(day + _DAY)) / 2
        rising = self._transit_s(day, self._rising, noon - _HALF_DAY_S, noon)
        setting = self._transit_s(day, self._setting, noon, noon + _HALF_DAY_S)
        if rising is None or setting is None:
            is_up = self._is_up(noon)
            rising = (first if is_up else noon) if rising is None else rising
            setting = (last if is_up else noon) if setting is None else setting
        return max(rising, first), min(setting, last)

    def _noon_s(self, day: date) -> float:
        noon: datetime = self._sun.noon(self._place, day)
        return noon.timestamp()

    def _transit_s(self, day: date, direction: Any, begin_s: float, end_s: float) -> float | None:
        """Return when the sun crosses the horizon between two moments; None if it does not."""
        # astral moves what would be on the day before by a day, so a neighbour's may be the one of this solar day.
        for near in (day, day - _DAY, day + _DAY):
            try:
                moment = self._sun.time_of_transit(self._place, near, 90 + self._sun.SUN_APPARENT_RADIUS, direction)
            except ValueError:  # it does not cross the horizon
                continue
            if begin_s <= moment.timestamp() <= end_s:
                return float(moment.timestamp())
        return None

    def _is_up(self, wall_s: float) -> bool:
        moment = datetime.fromtimestamp(wall_s, UTC)
        return bool(self._sun.elevation(self._place, moment, with_refraction=False) > -_BELOW)

"""When the camera is awake: by the clock, by the sun, over changes of the clock."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config.keeping import Day, Schedule, Window
from edge.errors import MissingPackageError
from edge.events.schedule import Timetable
from edge.events.sun import Sun

BERLIN = (52.5, 13.4)
TROMSO = (69.65, 18.96)


def timetable(*windows: Window, zone: str | None = "UTC", place: tuple[float, float] | None = BERLIN) -> Timetable:
    return Timetable(Schedule(awake=windows, timezone=zone), place)


def window(begin: str, end: str, *days: Day) -> Window:
    return Window(begin=begin, end=end, days=days)


def at(text: str, zone: str = "UTC", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def changes(table: Timetable, begin: float, end: float, zone: str = "UTC") -> list[str]:
    """List the changes between two moments, by the clock of a zone."""
    found, now = [], begin
    while (following := table.next_change(now)) is not None and following <= end:
        found.append(f"{datetime.fromtimestamp(following, ZoneInfo(zone)):%a %d %H:%M}")
        now = following
    return found


class TestByTheClock:
    def test_no_window_is_always(self) -> None:
        assert timetable().is_awake(0.0)
        assert timetable().next_change(0.0) is None

    def test_a_window_begins_with_its_first_and_ends_before_its_last_moment(self) -> None:
        table = timetable(window("06:00", "22:00"))
        assert not table.is_awake(at("2026-03-02T05:59:59"))
        assert table.is_awake(at("2026-03-02T06:00"))
        assert table.is_awake(at("2026-03-02T21:59:59"))
        assert not table.is_awake(at("2026-03-02T22:00"))
        assert table.next_change(at("2026-03-02T05:00")) == at("2026-03-02T06:00")
        assert table.next_change(at("2026-03-02T06:00")) == at("2026-03-02T22:00")
        assert table.next_change(at("2026-03-02T22:00")) == at("2026-03-03T06:00")

    def test_over_midnight_it_belongs_to_the_day_of_its_begin(self) -> None:
        table = timetable(window("22:00", "06:00", "fri"))
        seen = changes(table, at("2026-03-02T00:00"), at("2026-03-16T00:00"))
        assert seen == ["Fri 06 22:00", "Sat 07 06:00", "Fri 13 22:00", "Sat 14 06:00"]

    def test_the_same_time_twice_is_a_whole_day(self) -> None:
        table = timetable(window("00:00", "00:00", "sat", "sun"))
        assert changes(table, at("2026-03-02T00:00"), at("2026-03-09T12:00")) == ["Sat 07 00:00", "Mon 09 00:00"]

    @pytest.mark.parametrize(
        "windows", [[window("12:00", "12:00")], [window("00:00", "12:00"), window("11:00", "00:00")]]
    )
    def test_what_covers_all_days_never_changes(self, windows: list[Window]) -> None:
        assert timetable(*windows).is_awake(at("2026-03-02T00:00"))
        assert timetable(*windows).next_change(at("2026-03-02T00:00")) is None

    def test_windows_that_overlap_or_touch_are_one(self) -> None:
        table = timetable(window("06:00", "10:00"), window("09:00", "12:00"), window("12:00", "13:00"))
        assert changes(table, at("2026-03-02T00:00"), at("2026-03-02T23:00")) == ["Mon 02 06:00", "Mon 02 13:00"]

    def test_the_time_zone_is_the_one_in_the_settings(self) -> None:
        table = timetable(window("06:00", "07:00"), zone="Asia/Kathmandu")
        assert table.next_change(at("2026-03-02T00:00")) == at("2026-03-02T00:15")

    def test_or_the_system_s(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        try:
            table = timetable(window("06:00", "07:00"), zone=None)
            assert table.next_change(at("2026-03-02T00:00")) == at("2026-03-02T00:15")
        finally:
            monkeypatch.undo()
            time.tzset()


class TestChangesOfTheClock:
    ZONE = "Europe/Berlin"
    # In the night to 2026-03-29 the clock goes from 02:00 to 03:00, in that to 2026-10-25 from 03:00 back to 02:00.

    def hours(self, begin: str, end: str, day: str) -> float:
        """Return how long a window lasts in a night."""
        table = timetable(window(begin, end), zone=self.ZONE)
        now, asleep = at(f"{day}T00:00", self.ZONE), at(f"{day}T12:00", self.ZONE)
        total = 0.0
        while now < asleep:
            following = min(table.next_change(now) or asleep, asleep)
            total += following - now if table.is_awake(now) else 0.0
            now = following
        return total / 3600

    @pytest.mark.parametrize(
        ("begin", "end", "spring", "autumn"),
        [
            ("01:00", "04:00", 2.0, 4.0),
            ("01:00", "02:30", 1.5, 2.5),
            ("02:30", "04:00", 0.5, 2.5),
            ("02:30", "03:30", 0.0, 2.0),
            ("02:10", "02:40", 0.5, 1.5),
            ("05:00", "06:00", 1.0, 1.0),
        ],
    )
    def test_a_night_is_an_hour_shorter_or_longer(self, begin: str, end: str, spring: float, autumn: float) -> None:
        assert self.hours(begin, end, "2026-03-29") == spring
        assert self.hours(begin, end, "2026-10-25") == autumn

    def test_a_window_by_the_clock_keeps_to_the_clock(self) -> None:
        table = timetable(window("06:00", "08:00"), zone=self.ZONE)
        seen = changes(table, at("2026-03-28T12:00"), at("2026-03-29T12:00"), self.ZONE)
        assert seen == ["Sun 29 06:00", "Sun 29 08:00"]


class TestBySun:
    def test_the_times_are_those_of_an_almanac(self) -> None:
        """By the solar calculator of the US weather service: 2026-06-21, Berlin, 02:43 and 19:33 UTC."""
        table = timetable(window("sunrise", "sunset"))
        rising = table.next_change(at("2026-06-21T00:00"))
        assert rising is not None
        assert rising == pytest.approx(at("2026-06-21T02:43"), abs=120)
        assert table.next_change(rising) == pytest.approx(at("2026-06-21T19:33"), abs=120)

    def test_offsets(self) -> None:
        plain, shifted = (timetable(window(*w)) for w in (("sunset", "sunrise"), ("sunset-0:30", "sunrise+1:15")))
        falls = plain.next_change(at("2026-06-21T12:00"))
        assert falls is not None
        assert shifted.next_change(at("2026-06-21T12:00")) == falls - 30 * 60
        rises = plain.next_change(falls)
        assert rises is not None
        assert shifted.next_change(falls) == rises + 75 * 60

    def test_mixed_with_the_clock(self) -> None:
        table = timetable(window("04:00", "sunrise"), window("sunset", "22:30", "mon"))
        seen = changes(table, at("2026-03-02T00:00"), at("2026-03-03T12:00"))
        assert [text[:-2] for text in seen] == [
            *("Mon 02 04:", "Mon 02 05:", "Mon 02 16:", "Mon 02 22:", "Tue 03 04:", "Tue 03 05:"),
        ]

    def test_offsets_that_cross_leave_that_day_out(self) -> None:
        table = timetable(window("sunrise+5:00", "sunset-5:00"))
        assert changes(table, at("2026-12-20T00:00"), at("2026-12-25T00:00")) == []
        assert len(changes(table, at("2026-06-20T00:00"), at("2026-06-22T00:00"))) == 4

    @pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin"])
    @pytest.mark.parametrize("longitude", [-179.9, -90.0, 0.0, 90.0, 179.9])
    def test_each_day_has_its_sunrise_whatever_the_clock_shows(self, zone: str, longitude: float) -> None:
        table = timetable(window("sunrise", "sunset"), zone=zone, place=(10.0, longitude))
        begin = at("2026-03-01T00:00")
        now, lengths = begin, []
        while now < begin + 10 * 86_400:
            following = table.next_change(now)
            assert following is not None
            if table.is_awake(now):
                lengths.append((following - now) / 3600)
            now = following
        assert len(lengths) in (10, 11)
        assert all(11.5 < hours < 12.5 for hours in lengths[1:])

    def test_it_needs_a_position(self) -> None:
        with pytest.raises(ValueError, match="no position"):
            timetable(window("sunrise", "12:00"), place=None)
        assert timetable(window("11:00", "12:00"), place=None).next_change(0.0) is not None


class TestBeyondThePolarCircle:
    """In Tromso the sun is up from about May 18 to July 26, and down from about November 27 to January 15."""

    DAY, NIGHT = (
        timetable(window("sunrise", "sunset"), place=TROMSO),
        timetable(window("sunset", "sunrise"), place=TROMSO),
    )

    @pytest.mark.parametrize("hour", range(0, 24, 3))
    def test_a_day_window_is_all_of_the_polar_day_and_nothing_of_the_polar_night(self, hour: int) -> None:
        summer, winter = at(f"2026-06-21T{hour:02}:00"), at(f"2026-12-21T{hour:02}:00")
        assert (self.DAY.is_awake(summer), self.DAY.is_awake(winter)) == (True, False)
        assert (self.NIGHT.is_awake(summer), self.NIGHT.is_awake(winter)) == (False, True)

    def test_it_changes_again_when_the_sun_sets(self) -> None:
        sets, rises = self.DAY.next_change(at("2026-06-21T00:00")), self.DAY.next_change(at("2026-12-21T00:00"))
        assert sets is not None
        assert rises is not None
        assert at("2026-07-22T00:00") < sets < at("2026-07-29T00:00")
        assert at("2027-01-12T00:00") < rises < at("2027-01-18T00:00")

    @pytest.mark.parametrize("latitude", [-90.0, 90.0])
    def test_at_a_pole_a_year_is_one_day(self, latitude: float) -> None:
        table = timetable(window("sunrise", "sunset"), place=(latitude, 0.0))
        assert table.is_awake(at("2026-06-21T12:00")) == (latitude > 0)
        assert table.is_awake(at("2026-12-21T12:00")) == (latitude < 0)


def test_without_astral_the_error_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "astral", None)
    with pytest.raises(MissingPackageError, match="sunrise and sunset need astral"):
        timetable(window("sunrise", "sunset"))
    timetable(window("06:00", "07:00"))


def test_astral_is_only_loaded_for_the_sun() -> None:
    code = (
        "import sys\nfrom edge.events.schedule import Timetable\nfrom edge.config.keeping import Schedule, Window\n"
        "Timetable(Schedule(awake=(Window(begin='06:00', end='07:00'),)))\n"
        "assert not {'astral', 'numpy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


CLOCK = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
SUN = st.builds(
    "{}{}".format,
    st.sampled_from(["sunrise", "sunset"]),
    st.just("") | st.builds("{}{}:{:02}".format, st.sampled_from("+-"), st.integers(0, 12), st.integers(0, 59)),
)
DAYS = st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), max_size=3)


def windows(moments: st.SearchStrategy[str]) -> st.SearchStrategy[list[Window]]:
    one = st.builds(lambda begin, end, days: window(begin, end, *days), moments, moments, DAYS)
    return st.lists(one, min_size=1, max_size=3)


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"])
PLACES = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
MOMENTS = st.floats(0, 4e9)


def minutes(begin: float, end: float) -> Iterator[float]:
    now = begin
    while now < end:
        yield now
        now += 60.0


@settings(max_examples=40, deadline=None)
@given(windows(CLOCK | SUN), ZONES, PLACES, MOMENTS)
def test_a_change_is_after_now_and_what_is_before_it_is_as_now(
    chosen: list[Window], zone: str, place: tuple[float, float], now: float
) -> None:
    table = timetable(*chosen, zone=zone, place=place)
    awake, change = table.is_awake(now), table.next_change(now)
    if change is not None:
        assert change > now
        assert table.is_awake(change) != awake
    two_days = now + 2 * 86_400.0
    for minute in minutes(now, two_days if change is None else min(change, two_days)):
        assert table.is_awake(minute) == awake


@settings(max_examples=60, deadline=None)
@given(windows(CLOCK), st.integers(0, 40_000), st.integers(0, 1439))
def test_by_a_clock_that_never_changes_it_is_what_a_person_would_read_off(
    chosen: list[Window], day: int, minute: int
) -> None:
    moment = datetime(1980, 1, 1, tzinfo=UTC) + timedelta(days=day, minutes=minute)

    def holds(one: Window) -> bool:
        clock = f"{moment:%H:%M}"
        today, yesterday = (f"{moment - timedelta(days=back):%a}".lower() for back in (0, 1))
        if one.begin < one.end:
            return one.begin <= clock < one.end and (not one.days or today in one.days)
        late, early = one.begin <= clock, clock < one.end
        return (late and (not one.days or today in one.days)) or (early and (not one.days or yesterday in one.days))

    assert timetable(*chosen, place=None).is_awake(moment.timestamp()) == any(map(holds, chosen))


@settings(max_examples=100, deadline=None)
@given(st.floats(-89.5, 89.5), st.floats(-180, 180), st.dates(datetime(1971, 1, 1).date(), datetime(2090, 1, 1).date()))
def test_between_sunrise_and_sunset_the_sun_is_up(latitude: float, longitude: float, day: object) -> None:
    import astral.sun

    place = astral.Observer(latitude, longitude)
    rising, setting = Sun(latitude, longitude).of_solar_day(day)  # type: ignore[arg-type]
    assert 0 <= setting - rising <= 86_400 + 60

    def height(wall_s: float) -> float:
        return float(astral.sun.elevation(place, datetime.fromtimestamp(wall_s, UTC), with_refraction=False))

    middle = (rising + setting) / 2
    if setting - rising > 60:
        assert height(middle) > -1.2
    assert height(middle + 43_200) < 1.2 or setting - rising > 86_300

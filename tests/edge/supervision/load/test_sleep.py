"""The schedule and the wall clock, which may be wrong, jump, and be set at any time."""

import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.events.records import ClockQuality
from edge.supervision.load.sleep import Sleep

HOUR_S, DAY_S, YEAR_S = 3600.0, 86_400.0, 365 * 86_400.0


@dataclass
class Reading:
    offset_s: float
    quality: ClockQuality


class Clock:
    """A wall clock that a test sets."""

    def __init__(self, offset_s: float = 0.0, quality: ClockQuality = "ntp") -> None:
        self.reading = Reading(offset_s, quality)

    def look(self) -> Reading:
        return self.reading


class Daytime:
    """Awake in the second half of each day of UTC."""

    def __init__(self) -> None:
        self.asked = 0

    def is_awake(self, wall_s: float) -> bool:
        self.asked += 1
        return wall_s % DAY_S >= DAY_S / 2

    def next_change(self, wall_s: float) -> float | None:
        return wall_s - wall_s % (DAY_S / 2) + DAY_S / 2


class Always:
    """A schedule that never changes."""

    def __init__(self, awake: bool) -> None:
        self._awake = awake

    def is_awake(self, wall_s: float) -> bool:
        return self._awake

    def next_change(self, wall_s: float) -> float | None:
        return None


def at(sleep: Sleep, now: float) -> tuple[bool, float | None]:
    sleep.look(now)
    return sleep.awake, sleep.until_wall_s


def test_it_follows_the_schedule_and_looks_it_up_at_its_changes_only() -> None:
    schedule = Daytime()
    sleep = Sleep(schedule, Clock())
    seen = [at(sleep, float(now)) for now in range(0, int(2 * DAY_S), 60)]
    assert [awake for awake, _ in seen] == [float(now) % DAY_S >= DAY_S / 2 for now in range(0, int(2 * DAY_S), 60)]
    assert schedule.asked == 4
    assert seen[0] == (False, DAY_S / 2)


@pytest.mark.parametrize("jump_s", [10 * YEAR_S + HOUR_S * 12, -10 * YEAR_S - HOUR_S * 12, HOUR_S * 12])
def test_a_clock_that_is_set_is_noticed_within_a_second(jump_s: float) -> None:
    clock = Clock(offset_s=20 * YEAR_S)
    sleep = Sleep(Daytime(), clock)
    assert at(sleep, 100.0)[0] is False
    clock.reading.offset_s += jump_s
    awake, until_wall_s = at(sleep, 101.0)
    assert awake is True
    assert until_wall_s is not None
    assert 0 < until_wall_s - (101.0 + clock.reading.offset_s) <= DAY_S / 2


def test_a_clock_that_cannot_be_trusted_puts_nobody_to_sleep() -> None:
    clock = Clock(quality="none")
    sleep = Sleep(Always(awake=False), clock)
    assert at(sleep, 1.0) == (True, None)
    assert sleep.reason == "the schedule is not followed: the time is not known"
    clock.reading.quality = "ntp"
    assert at(sleep, 3.0) == (False, None)
    assert sleep.reason is None


def test_trust_that_is_lost_wakes_the_camera() -> None:
    clock = Clock()
    sleep = Sleep(Daytime(), clock)
    assert at(sleep, 1.0)[0] is False
    clock.reading = Reading(-1e9, "none")
    assert at(sleep, 3.0) == (True, None)


def test_the_clock_is_read_once_a_second_at_most() -> None:
    clock = Clock()
    sleep = Sleep(Daytime(), clock)
    sleep.look(0.0)
    clock.reading.offset_s = DAY_S / 2
    assert at(sleep, 0.9)[0] is False
    assert at(sleep, 1.0)[0] is True


def test_a_clock_that_is_slewed_changes_nothing() -> None:
    schedule, clock = Daytime(), Clock()
    sleep = Sleep(schedule, clock)
    for second in range(1000):
        sleep.look(float(second))
        clock.reading.offset_s += 5e-4
    assert schedule.asked == 1


@given(
    st.lists(
        st.tuples(st.floats(0, DAY_S), st.sampled_from([0.0, HOUR_S, -HOUR_S, 10 * YEAR_S, -10 * YEAR_S])), max_size=30
    )
)
def test_whatever_the_clock_does_it_is_as_the_schedule_has_it(steps: list[tuple[float, float]]) -> None:
    clock, now = Clock(offset_s=400 * YEAR_S), 0.0
    schedule = Daytime()
    sleep = Sleep(schedule, clock)
    for later_s, jump_s in steps:
        now += 1.0 + later_s
        clock.reading.offset_s += jump_s
        sleep.look(now)
        assert sleep.awake == schedule.is_awake(now + clock.reading.offset_s)


def test_people_read_until_when() -> None:
    sleep = Sleep(Daytime(), Clock())
    sleep.until_wall_s = time.time()
    assert sleep.words == f"by the schedule, until {time.strftime('%H:%M', time.localtime(sleep.until_wall_s))}"
    sleep.until_wall_s += 2 * DAY_S
    assert sleep.words == f"by the schedule, until {time.strftime('%F %H:%M', time.localtime(sleep.until_wall_s))}"
    sleep.until_wall_s = None
    assert sleep.words == "by the schedule"

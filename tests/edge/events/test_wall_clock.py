"""How far the wall time can be trusted, and what a better reading mends."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.events.records import ClockQuality
from edge.events.wall_clock import (
    QUALITIES,
    RELEASED_WALL_S,
    ClockHistory,
    ClockReading,
    WallClock,
    better,
    kernel_synchronized,
    read_clocks,
    rtc_wall_s,
    timesyncd_touched_ns,
)

DAY_S = 86_400.0
TODAY_S = RELEASED_WALL_S + 200 * DAY_S


class Board:
    """A board whose clocks a test sets: `wall_s` at `mono_s`, and what kernel, timesyncd and RTC report."""

    def __init__(self, wall_s: float = TODAY_S) -> None:
        self.mono_s, self.wall_s = 20.0, wall_s
        self.synchronized: bool | None = False
        self.touched_ns: int | None = None
        self.rtc_s: float | None = None
        self.clock = WallClock(
            clocks=lambda: (self.mono_s, self.wall_s),
            kernel=lambda: self.synchronized,
            timesyncd=lambda: self.touched_ns,
            rtc=lambda: self.rtc_s,
        )

    def quality(self, after_s: float = 1.0, *, step_s: float = 0.0) -> ClockQuality:
        """Look again after so many seconds, in which the wall clock was also set by `step_s`."""
        self.mono_s += after_s
        self.wall_s += after_s + step_s
        return self.clock.look().quality


def test_a_plausible_time_that_nothing_vouches_for_is_not_trusted() -> None:
    """As from fake-hwclock: the time of the last shutdown."""
    board = Board()
    assert [board.quality(), board.quality()] == ["none", "none"]


def test_a_time_server_is_trusted_and_an_unheard_one_leaves_a_clock_that_runs_on() -> None:
    board = Board()
    assert board.quality() == "none"
    board.synchronized = True
    assert board.quality(step_s=3600.0) == "ntp"
    board.synchronized = False  # as the kernel reports nine hours after the last word of the server
    assert board.quality(after_s=10 * 3600.0) == "rtc"
    assert board.quality(step_s=-2.0) == "hand"


def test_the_offset_is_wall_minus_monotonic() -> None:
    board = Board()
    assert board.clock.look() == ClockReading(TODAY_S - 20.0, "none")


def test_a_person_sets_the_clock() -> None:
    board = Board()
    board.quality()
    assert board.quality(step_s=-1.5) == "hand"
    assert board.quality() == "hand"
    board.synchronized = True
    assert board.quality() == "ntp"


def test_slewing_is_no_step() -> None:
    board = Board()
    assert {board.quality(step_s=0.0005) for _ in range(5000)} == {"none"}


@pytest.mark.parametrize(
    ("apart_s", "uptime_s", "quality"),
    [(0.0, 20.0, "rtc"), (4.9, 20.0, "rtc"), (5.5, 20.0, "none"), (500.0, 60 * DAY_S, "rtc"), (-TODAY_S, 20.0, "none")],
    ids=["same", "near", "too far", "drifted apart in two months", "battery gone, time put in its place"],
)
def test_a_real_time_clock_is_trusted_if_it_still_agrees(apart_s: float, uptime_s: float, quality: str) -> None:
    board = Board()
    board.mono_s, board.rtc_s = uptime_s, TODAY_S + apart_s
    assert board.clock.look().quality == quality


@pytest.mark.parametrize("wall_s", [0.0, 946_684_800.0, RELEASED_WALL_S - 2])
@pytest.mark.parametrize("synchronized", [False, True])
def test_a_time_before_the_release_is_never_trusted(wall_s: float, synchronized: bool) -> None:
    board = Board(wall_s)
    board.synchronized, board.rtc_s = synchronized, wall_s
    assert board.quality() == "none"


def test_set_back_before_the_release_and_running_on_from_there() -> None:
    board = Board(RELEASED_WALL_S)
    board.quality()
    assert board.quality(step_s=-5.0) == "none"
    assert board.quality(after_s=60.0) == "none"


def test_in_the_sandbox_timesyncds_file_counts() -> None:
    board = Board()
    board.synchronized = None
    assert board.quality() == "none"
    board.touched_ns = 1
    assert board.quality(step_s=100.0) == "ntp"
    assert board.quality(step_s=DAY_S) == "hand"  # not touched: a person
    assert board.quality() == "hand"
    board.touched_ns = 2
    assert board.quality(step_s=-DAY_S) == "ntp"


def test_the_sources_of_this_machine_can_be_read() -> None:
    assert kernel_synchronized() in (True, False, None)
    mono_s, wall_s = read_clocks()
    assert mono_s > 0
    assert wall_s > 0
    assert WallClock().look().quality in QUALITIES


def test_being_held_up_between_the_clocks_is_no_step() -> None:
    monotonic = iter([1.0, 9.0, 10.0, 10.001])
    wall = iter([109.0, 110.0])
    assert read_clocks(lambda: next(monotonic), lambda: next(wall)) == (10.0, 110.0)


def test_which_real_time_clock_set_the_time(tmp_path: Path) -> None:
    assert rtc_wall_s(tmp_path / "rtc") is None
    for name, hctosys, since_epoch in [("rtc0", "0\n", "5\n"), ("rtc1", "1\n", "\n"), ("rtc2", "1\n", "1800000000\n")]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "hctosys").write_text(hctosys)
        (tmp_path / name / "since_epoch").write_text(since_epoch)
    assert rtc_wall_s(tmp_path) == 1_800_000_000.0


def test_when_timesyncd_was_heard(tmp_path: Path) -> None:
    file = tmp_path / "synchronized"
    assert timesyncd_touched_ns(str(file)) is None
    file.touch()
    os.utime(file, ns=(5, 7))
    assert timesyncd_touched_ns(str(file)) == 7


def history(*readings: tuple[float, float, ClockQuality]) -> ClockHistory:
    """(monotonic seconds, offset, quality) of each look."""
    made = ClockHistory()
    for mono_s, offset_s, quality in readings:
        made.add(mono_s, ClockReading(offset_s, quality))
    return made


def test_a_boot_that_gets_its_time_an_hour_later_is_mended_from_its_begin() -> None:
    made = history((10, 1e6, "none"), (3600, 1.8e9, "ntp"))
    assert made.at(10) == made.at(4000) == ClockReading(1.8e9, "ntp")


def test_a_later_step_of_a_trusted_clock_changes_nothing_before_it() -> None:
    made = history((10, 1.8e9, "ntp"), (500, 1.8e9 + 3600, "ntp"), (600, 5.0, "none"))
    assert [made.at(mono_s).offset_s for mono_s in (5, 499, 500, 700)] == [1.8e9, 1.8e9, 1.8e9 + 3600, 1.8e9 + 3600]


def test_only_what_is_better_than_all_before_mends_or_a_persons_second_try() -> None:
    made = ClockHistory()
    looks: list[tuple[ClockQuality, bool]] = [
        ("none", True),
        ("rtc", True),
        ("hand", True),
        ("none", False),
        ("hand", True),
        ("rtc", False),
        ("ntp", True),
        ("hand", False),
        ("ntp", False),
    ]
    assert [made.add(i, ClockReading(0.0, quality)) for i, (quality, _) in enumerate(looks)] == [
        mends for _, mends in looks
    ]


def test_a_person_outranks_the_real_time_clock_that_was_wrong() -> None:
    made = history((10, 1.7e9, "rtc"), (500, 1.8e9, "hand"))
    assert made.at(10) == made.at(900) == ClockReading(1.8e9, "hand")


def test_of_a_persons_settings_the_newest_counts_for_the_whole_boot() -> None:
    made = history((10, 1.7e9, "hand"), (500, 1.8e9, "hand"), (600, 1.9e9, "none"))
    assert [made.at(mono_s).offset_s for mono_s in (5, 499, 700)] == [1.8e9] * 3


def test_a_time_server_outranks_a_person_whoever_came_last() -> None:
    made = history((10, 1.8e9, "ntp"), (500, 1.7e9, "hand"))
    assert made.at(600) == ClockReading(1.8e9, "ntp")


@pytest.mark.parametrize(
    ("known", "quality"), [("ntp", "rtc"), ("rtc", "rtc"), ("hand", "hand")], ids=lambda value: str(value)
)
def test_a_new_process_goes_on_from_what_was_known(known: ClockQuality, quality: ClockQuality) -> None:
    board = Board()
    board.clock.recall(ClockReading(TODAY_S - 20.0, known))
    assert [board.quality(), board.quality(after_s=9000.0)] == [quality, quality]


def test_a_clock_that_was_set_while_no_process_looked_was_set_by_hand() -> None:
    """As with `systemctl stop`, `date -s`, `systemctl start`."""
    board = Board()
    board.clock.recall(ClockReading(TODAY_S - 20.0 - DAY_S, "rtc"))
    board.rtc_s = TODAY_S - DAY_S  # still as it was
    assert board.quality() == "hand"


def test_without_a_reading_there_is_no_time() -> None:
    with pytest.raises(ValueError, match="not read"):
        ClockHistory().at(1.0)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(QUALITIES)), min_size=1, max_size=400),
    st.integers(0, 400),
)
def test_a_moment_gets_the_best_quality_of_its_boot(looks: list[tuple[int, ClockQuality]], moment: int) -> None:
    """Also when the oldest of too many readings were forgotten."""
    made = history(*((float(i), float(offset), quality) for i, (offset, quality) in enumerate(looks)))
    best = made.at(float(moment)).quality
    assert not any(better(quality, best) for _, quality in looks)

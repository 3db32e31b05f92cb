"""The gaps between a video's frames, from times that may be anything."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.capture.replay.times import MOST_GAP_S, FrameGaps


def gaps(times: list[float], fps: float = 10.0) -> list[float]:
    by_times = FrameGaps(fps)
    return [round(by_times.next(time), 6) for time in times]


def test_they_are_those_of_the_times_whatever_the_header_says() -> None:
    assert gaps([5.0, 5.2, 5.25, 20.25], fps=600) == [0.0, 0.2, 0.05, 15.0]


@pytest.mark.parametrize("time", [0.0, 1.0, 0.9, -5.0, 1e9, math.nan, math.inf, -math.inf, 1.0 + 1e-5, 2 + MOST_GAP_S])
def test_a_time_of_no_use_is_replaced_by_the_rate(time: float) -> None:
    by_times = FrameGaps(10.0)
    assert [by_times.next(value) for value in (1.0, time)] == [0.0, 0.1]
    assert by_times.odd == 1


def test_after_a_jump_the_times_count_again() -> None:
    assert gaps([100.0, 100.04, 0.0, 0.04]) == [0.0, 0.04, 0.1, 0.04]


@pytest.mark.parametrize(
    ("fps", "usual_s"), [(50, 0.02), (0, 0.04), (-1, 0.04), (600, 0.04), (90_000, 0.04), (math.nan, 0.04)]
)
def test_a_rate_that_no_camera_has_is_not_believed(fps: float, usual_s: float) -> None:
    assert FrameGaps(fps).usual_s == pytest.approx(usual_s)


def test_the_next_round_begins_after_the_usual_gap() -> None:
    by_times = FrameGaps(10.0)
    for time in (0.0, 0.2):
        by_times.next(time)
    by_times.begin_again()
    assert [by_times.next(0.0), by_times.next(0.2)] == [0.1, 0.2]
    assert by_times.odd == 0


@given(times=st.lists(st.floats()), fps=st.floats())
def test_no_gap_is_endless_or_negative(times: list[float], fps: float) -> None:
    by_times = FrameGaps(fps)
    assert all(0 <= by_times.next(time) <= MOST_GAP_S for time in times)

"""A camera's own timestamps give the age of a frame, if they are of the right clock."""

import pytest

from edge.clock import DeviceClock


def test_ages_are_believed_once_the_first_can_be_right() -> None:
    clock = DeviceClock("camera")
    assert [clock.age_s(age_s) for age_s in (0.03, 0.5, 60.0)] == [0.03, 0.5, 60.0]  # the last waited in a buffer


def test_a_clock_that_jumps_is_believed_no_longer() -> None:
    clock = DeviceClock("camera")
    ages = [clock.age_s(age_s) for age_s in (0.03, *[3600.0] * 40)]
    assert ages[:31] == [0.03, *[3600.0] * 30]
    assert ages[31:] == [0.0] * 10


@pytest.mark.parametrize("first_s", [786.0, -786.0, 10.5, None], ids=["zero", "ahead", "late", "none"])
def test_timestamps_of_another_clock_are_left_alone(first_s: float | None) -> None:
    clock = DeviceClock("camera")
    assert [clock.age_s(age_s) for age_s in (first_s, 0.5, 60.0)] == [0.0, 0.0, 0.0]


def test_a_frame_is_never_younger_than_now() -> None:
    clock = DeviceClock("camera")
    assert [clock.age_s(age_s) for age_s in (-0.01, -0.5, None)] == [0.0, 0.0, 0.0]

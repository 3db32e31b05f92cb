"""A worker that looks well and gives nothing: for how long that is believed. Moments are given, nothing waits."""

import time

import pytest

from edge.config import Camera, Engine, Settings
from edge.silence import Silence

# 2 x 3 s without a frame, 2 s of a frozen picture, 5 s of an inference
SETTINGS = Settings(bundle="none", camera=Camera(timeout_s=3.0, frozen_s=2.0), engine=Engine(timeout_s=5.0))
LONGEST_S = 13.0


@pytest.fixture
def silence() -> Silence:
    serving = Silence(SETTINGS)
    serving.worker_serves()
    return serving


def is_fault(silence: Silence, after_s: float, limit_fps: float | None = None, *, known: bool = False) -> bool:
    return silence.fault(time.monotonic() + after_s, limit_fps, known=known) is not None


def test_it_is_a_fault_once_every_patience_has_run_out(silence: Silence) -> None:
    assert not is_fault(silence, LONGEST_S - 1)
    fault = silence.fault(time.monotonic() + LONGEST_S + 1, None, known=False)
    assert fault is not None
    assert (fault.kind, fault.part, fault.why) == ("hang", "worker", "no fresh result for 13 s")


def test_a_result_ends_it(silence: Silence) -> None:
    silence.excuse(-10)  # ten seconds ago
    assert silence.seconds(time.monotonic()) == pytest.approx(10, abs=0.5)
    silence.broken()
    assert silence.seconds(time.monotonic()) == pytest.approx(0, abs=0.5)


def test_a_worker_that_is_still_starting_is_not_blamed(silence: Silence) -> None:
    silence.worker_begins()
    assert not is_fault(silence, 1000)
    silence.worker_serves()
    assert not is_fault(silence, LONGEST_S - 1)
    assert is_fault(silence, LONGEST_S + 1)


def test_a_new_worker_is_given_as_long_again(silence: Silence) -> None:
    silence.excuse(-100)
    assert is_fault(silence, 0)
    silence.worker_begins()
    silence.worker_serves()
    assert not is_fault(silence, LONGEST_S - 1)
    assert silence.seconds(time.monotonic()) > 99


def test_a_slow_rate_is_waited_for(silence: Silence) -> None:
    """A frame in ten seconds: 2 x 30 s in place of 2 x 3 s."""
    assert not is_fault(silence, 66, 0.1)
    assert is_fault(silence, 68, 0.1)


def test_what_the_supervisor_missed_itself_does_not_count(silence: Silence) -> None:
    silence.excuse(-100)
    silence.excuse(99)
    assert not is_fault(silence, LONGEST_S - 2)


def test_an_excuse_does_not_reach_into_the_future(silence: Silence) -> None:
    silence.excuse(1000)
    assert silence.seconds(time.monotonic()) >= 0


def test_a_fault_that_is_known_is_not_told_twice(silence: Silence) -> None:
    assert not is_fault(silence, 1000, known=True)


class TestResultsThatAreTooOld:
    def test_are_those_older_than_a_stall(self, silence: Silence) -> None:
        assert not silence.too_old(2.9)
        assert silence.too_old(3.1)

    def test_are_the_reason_that_is_given(self, silence: Silence) -> None:
        for age_s in (3.5, 7.25, 4.0):
            silence.too_old(age_s)
        fault = silence.fault(time.monotonic() + LONGEST_S + 1, None, known=True)  # whatever else is known
        assert fault is not None
        assert "up to 7.2 s old when ready, at most 3 s (camera.timeout_s)" in fault.why

    def test_are_forgotten_once_the_camera_is_to_blame(self, silence: Silence) -> None:
        silence.too_old(5.0)
        silence.explained()
        assert not is_fault(silence, 1000, known=True)

    def test_count_where_a_camera_may_repeat_itself_for_ever(self) -> None:
        camera = Camera(timeout_s=3.0, frozen_s=0.0)
        silence = Silence(Settings(bundle="none", camera=camera, engine=Engine(timeout_s=5.0)))
        silence.worker_serves()
        assert not is_fault(silence, 1000)
        silence.too_old(5.0)
        assert is_fault(silence, 1000)

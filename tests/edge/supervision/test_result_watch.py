"""A worker that looks well and gives nothing: for how long that is believed. The clock is moved by hand."""

from types import SimpleNamespace

import pytest

import edge.supervision.result_watch
from edge.config import Camera, Engine, Settings
from edge.supervision.result_watch import Silence
from edge.supervision.worker_watch import Fault

# 2 x 3 s without a frame, 2 s of a frozen picture, 5 s of an inference
SETTINGS = Settings(bundle="none", camera=Camera(timeout_s=3.0, frozen_s=2.0), engine=Engine(timeout_s=5.0))
LONGEST_S = 13.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def passes(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(edge.supervision.result_watch, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def silence(clock: Clock) -> Silence:
    serving = Silence(SETTINGS)
    serving.worker_serves()
    return serving


def fault_of(silence: Silence, clock: Clock, limit_fps: float | None = None) -> Fault | None:
    return silence.fault(clock.now, limit_fps)


def test_it_is_a_fault_once_every_patience_has_run_out(silence: Silence, clock: Clock) -> None:
    clock.passes(LONGEST_S - 1)
    assert fault_of(silence, clock) is None
    clock.passes(2)
    assert fault_of(silence, clock) == Fault("hang", "worker", "no fresh result for 13 s", 69)


def test_a_result_ends_it(silence: Silence, clock: Clock) -> None:
    clock.passes(10)
    assert silence.seconds(clock.now) == 10
    silence.broken()
    assert silence.seconds(clock.now) == 0


def test_a_worker_that_is_still_starting_is_not_blamed(silence: Silence, clock: Clock) -> None:
    silence.worker_begins()
    clock.passes(1000)
    assert fault_of(silence, clock) is None
    silence.worker_serves()
    clock.passes(LONGEST_S - 1)
    assert fault_of(silence, clock) is None
    clock.passes(2)
    assert fault_of(silence, clock)


def test_a_new_worker_is_given_as_long_again(silence: Silence, clock: Clock) -> None:
    clock.passes(100)
    assert fault_of(silence, clock)
    silence.worker_begins()
    silence.worker_serves()
    clock.passes(LONGEST_S - 1)
    assert fault_of(silence, clock) is None
    assert silence.seconds(clock.now) == 100 + LONGEST_S - 1


def test_a_slow_rate_is_waited_for(silence: Silence, clock: Clock) -> None:
    """A frame in ten seconds: 2 x 30 s in place of 2 x 3 s."""
    clock.passes(66)
    assert fault_of(silence, clock, 0.1) is None
    clock.passes(2)
    assert fault_of(silence, clock, 0.1)


def test_what_the_supervisor_missed_itself_does_not_count(silence: Silence, clock: Clock) -> None:
    clock.passes(100)
    silence.excuse(90)
    assert silence.seconds(clock.now) == 10
    clock.passes(2)
    assert fault_of(silence, clock) is None


def test_an_excuse_does_not_reach_into_the_future(silence: Silence, clock: Clock) -> None:
    silence.excuse(1000)
    assert silence.seconds(clock.now) == 0


def test_a_camera_that_failed_explains_it_until_it_is_open_again(silence: Silence, clock: Clock) -> None:
    silence.explained()
    clock.passes(1000)
    assert fault_of(silence, clock) is None
    silence.worker_serves()
    clock.passes(LONGEST_S + 1)
    assert fault_of(silence, clock)


class TestResultsThatAreTooOld:
    def test_are_those_older_than_a_stall(self, silence: Silence) -> None:
        assert not silence.too_old(2.9)
        assert silence.too_old(3.1)

    def test_are_the_reason_that_is_given(self, silence: Silence, clock: Clock) -> None:
        for age_s in (3.5, 7.25, 4.0):
            silence.too_old(age_s)
        clock.passes(LONGEST_S + 1)
        fault = fault_of(silence, clock)
        assert fault is not None
        assert "up to 7.2 s old when ready, at most 3 s (camera.timeout_s)" in fault.why

    def test_are_forgotten_once_the_camera_is_to_blame(self, silence: Silence, clock: Clock) -> None:
        silence.too_old(5.0)
        silence.explained()
        clock.passes(1000)
        assert fault_of(silence, clock) is None

    def test_count_where_a_camera_may_repeat_itself_for_ever(self, clock: Clock) -> None:
        camera = Camera(timeout_s=3.0, frozen_s=0.0)
        silence = Silence(Settings(bundle="none", camera=camera, engine=Engine(timeout_s=5.0)))
        silence.worker_serves()
        clock.passes(1000)
        assert fault_of(silence, clock) is None
        silence.too_old(5.0)
        assert fault_of(silence, clock)

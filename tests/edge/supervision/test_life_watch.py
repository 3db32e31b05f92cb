"""A worker that reports healthy and looks at nothing: for how long that is believed. The clock is moved by hand."""

from types import SimpleNamespace

import pytest

import edge.supervision.life_watch
from edge.config.running import Camera, Engine
from edge.config.settings import Settings
from edge.supervision.life_watch import LifeWatch
from edge.supervision.recovery import Fault

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
    monkeypatch.setattr(edge.supervision.life_watch, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def watch(clock: Clock) -> LifeWatch:
    serving = LifeWatch(SETTINGS)
    serving.worker_serves()
    return serving


def fault_of(watch: LifeWatch, clock: Clock, limit_fps: float | None = None) -> Fault | None:
    return watch.fault(clock.now, limit_fps)


def test_it_is_a_fault_once_every_patience_has_run_out(watch: LifeWatch, clock: Clock) -> None:
    clock.passes(LONGEST_S - 1)
    assert fault_of(watch, clock) is None
    clock.passes(2)
    assert fault_of(watch, clock) == Fault("hang", "worker", "no frame was looked at for 13 s", 69)


def test_a_result_ends_it(watch: LifeWatch, clock: Clock) -> None:
    clock.passes(10)
    assert watch.seconds(clock.now) == 10
    watch.published()
    assert watch.seconds(clock.now) == 0


def test_frames_that_the_gate_turned_away_end_it_too(watch: LifeWatch, clock: Clock) -> None:
    for _ in range(100):
        clock.passes(10)
        watch.looked()
        assert fault_of(watch, clock) is None
    clock.passes(LONGEST_S + 1)
    assert fault_of(watch, clock) == Fault("hang", "worker", "no frame was looked at for 13 s", 69)


def test_a_worker_that_is_still_starting_is_not_blamed(watch: LifeWatch, clock: Clock) -> None:
    watch.worker_begins()
    clock.passes(1000)
    assert fault_of(watch, clock) is None
    watch.worker_serves()
    clock.passes(LONGEST_S - 1)
    assert fault_of(watch, clock) is None
    clock.passes(2)
    assert fault_of(watch, clock)


def test_a_new_worker_is_given_as_long_again(watch: LifeWatch, clock: Clock) -> None:
    clock.passes(100)
    assert fault_of(watch, clock)
    watch.worker_begins()
    watch.worker_serves()
    clock.passes(LONGEST_S - 1)
    assert fault_of(watch, clock) is None
    assert watch.seconds(clock.now) == 100 + LONGEST_S - 1


def test_a_slow_rate_is_waited_for(watch: LifeWatch, clock: Clock) -> None:
    """A frame in ten seconds: 2 x 30 s in place of 2 x 3 s."""
    clock.passes(66)
    assert fault_of(watch, clock, 0.1) is None
    clock.passes(2)
    assert fault_of(watch, clock, 0.1)


def test_what_the_supervisor_missed_itself_does_not_count(watch: LifeWatch, clock: Clock) -> None:
    clock.passes(100)
    watch.excuse(90)
    assert watch.seconds(clock.now) == 10
    clock.passes(2)
    assert fault_of(watch, clock) is None


def test_an_excuse_does_not_reach_into_the_future(watch: LifeWatch, clock: Clock) -> None:
    watch.excuse(1000)
    assert watch.seconds(clock.now) == 0


def test_a_camera_that_failed_explains_it_until_it_is_open_again(watch: LifeWatch, clock: Clock) -> None:
    watch.explained()
    clock.passes(1000)
    assert fault_of(watch, clock) is None
    watch.worker_serves()
    clock.passes(LONGEST_S + 1)
    assert fault_of(watch, clock)


class TestResultsThatAreTooOld:
    def test_are_those_older_than_a_stall(self, watch: LifeWatch) -> None:
        assert not watch.too_old(2.9)
        assert watch.too_old(3.1)

    def test_are_the_reason_that_is_given(self, watch: LifeWatch, clock: Clock) -> None:
        for age_s in (3.5, 7.25, 4.0):
            watch.too_old(age_s)
        clock.passes(LONGEST_S + 1)
        fault = fault_of(watch, clock)
        assert fault is not None
        assert "up to 7.2 s old when ready, at most 3 s (camera.timeout_s)" in fault.why

    def test_are_forgotten_once_the_camera_is_to_blame(self, watch: LifeWatch, clock: Clock) -> None:
        watch.too_old(5.0)
        watch.explained()
        clock.passes(1000)
        assert fault_of(watch, clock) is None

    def test_count_where_a_camera_may_repeat_itself_for_ever(self, clock: Clock) -> None:
        camera = Camera(timeout_s=3.0, frozen_s=0.0)
        watch = LifeWatch(Settings(bundle="none", camera=camera, engine=Engine(timeout_s=5.0)))
        watch.worker_serves()
        clock.passes(1000)
        assert fault_of(watch, clock) is None
        watch.too_old(5.0)
        assert fault_of(watch, clock)


class TestResultsThatAreTooOldBesideFramesThatAreTurnedAway:
    """The camera is well and the gate works, but whatever passes it comes too late."""

    def late(self, watch: LifeWatch, clock: Clock, *, every_s: float, times: int) -> None:
        for _ in range(times):
            watch.too_old(4.0)
            clock.passes(every_s)
            watch.looked()

    def test_are_a_fault_after_the_same_time(self, watch: LifeWatch, clock: Clock) -> None:
        self.late(watch, clock, every_s=1.0, times=13)
        assert fault_of(watch, clock) is None
        self.late(watch, clock, every_s=1.0, times=1)
        fault = fault_of(watch, clock)
        assert fault is not None
        assert "up to 4.0 s old when ready" in fault.why

    def test_are_a_fault_however_seldom_one_passes_the_gate(self, watch: LifeWatch, clock: Clock) -> None:
        self.late(watch, clock, every_s=3600.0, times=2)
        assert fault_of(watch, clock) is None
        self.late(watch, clock, every_s=3600.0, times=1)
        assert fault_of(watch, clock)

    def test_are_a_fault_also_where_a_camera_may_repeat_itself_for_ever(self, clock: Clock) -> None:
        camera = Camera(timeout_s=3.0, frozen_s=0.0)
        watch = LifeWatch(Settings(bundle="none", camera=camera, engine=Engine(timeout_s=5.0)))
        watch.worker_serves()
        self.late(watch, clock, every_s=1.0, times=14)
        assert fault_of(watch, clock)

    def test_are_none_after_a_hiccup(self, watch: LifeWatch, clock: Clock) -> None:
        """The next result may be hours away, as nothing moves."""
        self.late(watch, clock, every_s=0.5, times=6)
        for _ in range(100):
            clock.passes(10)
            watch.looked()
        assert fault_of(watch, clock) is None

    def test_are_forgotten_after_a_result_in_time(self, watch: LifeWatch, clock: Clock) -> None:
        self.late(watch, clock, every_s=6.0, times=2)
        watch.published()
        self.late(watch, clock, every_s=6.0, times=2)
        assert fault_of(watch, clock) is None

    def test_are_excused_for_as_long_as_the_supervisor_was_held_up(self, watch: LifeWatch, clock: Clock) -> None:
        self.late(watch, clock, every_s=1.0, times=3)
        clock.passes(100)
        watch.excuse(100)
        self.late(watch, clock, every_s=1.0, times=3)
        assert fault_of(watch, clock) is None


@pytest.mark.parametrize("loop", [False, True])
def test_a_replay_is_never_ended_for_being_slow(loop: bool, clock: Clock) -> None:
    """Thousands of unreadable pictures, a slow drive, a pause between two frames of a video."""
    watch = LifeWatch(Settings(bundle="none", camera=Camera(source="photos/", loop=loop)))
    watch.worker_serves()
    clock.passes(3600)
    assert fault_of(watch, clock) is None

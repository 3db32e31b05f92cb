"""The worker's three threads, with sources and engines that misbehave on purpose."""

import threading
import time
from collections.abc import Callable, Container, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from scripted import ScriptedEngine, ScriptedSource, end, pipeline, say_nothing, wait_until

from edge.bundle.store import Bundle
from edge.capture.base import FrameSource
from edge.errors import CameraError, EndOfStream, EngineError
from edge.preprocess import Tensor
from edge.records import Frame
from edge.results import FrameCounts, Result
from edge.worker.freshness import FreshnessGuard
from edge.worker.gate import Gate
from edge.worker.pipeline import Prepared
from edge.worker.threads import Pace, Stages

Start = Callable[..., Stages]


@pytest.fixture
def start(sealed: Bundle) -> Iterator[Start]:
    """Start stages, which are closed after the test."""
    running: list[Stages] = []

    def begin(
        source: FrameSource,
        engine: ScriptedEngine | None = None,
        *,
        fps: float | None = None,
        freshness: FreshnessGuard | None = None,
        gate: Gate | None = None,
    ) -> Stages:
        running.append(Stages(source, pipeline(sealed, engine or ScriptedEngine()), Pace(fps), freshness, gate))
        return running[-1]

    yield begin
    for stages in running:
        stages.close()


class KeepingEngine(ScriptedEngine):
    """Keeps its inputs as a guard does, and counts those that changed meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = 0
        self._kept: list[tuple[Tensor, Tensor]] = []

    def load(self, tensor: Tensor) -> None:
        super().load(tensor)
        self._kept = [*self._kept[-1:], (tensor, tensor.copy())]

    def invoke(self) -> NDArray[np.generic]:
        self.changed += sum(not np.array_equal(kept, before) for kept, before in self._kept)
        return super().invoke()


def drain(stages: Stages) -> list[Result]:
    """All results until the end of the stream."""
    results = []
    try:
        while (result := stages.next(10.0)) is not None:
            results.append(result)
    except EndOfStream:
        return results
    raise AssertionError("no end within 10 s")


class TestReplays:
    """Files that are replayed at a rate can wait a moment; a camera cannot."""

    def test_nothing_is_dropped_for_an_engine_that_is_held_up_once(self, start: Start) -> None:
        class HeldUp(ScriptedEngine):
            calls = 0

            def invoke(self) -> NDArray[np.generic]:
                self.calls += 1
                time.sleep(0.2 if self.calls == 5 else 0.0)
                return super().invoke()

        stages = start(ScriptedSource(20, end, lossless=False, stalls=False, period_s=0.02), HeldUp())
        assert [result.frame for result in drain(stages)] == list(range(20))
        assert stages.dropped == 0

    def test_for_one_that_is_always_too_slow_frames_are_dropped(self, start: Start) -> None:
        source = ScriptedSource(100, end, lossless=False, stalls=False, period_s=0.01)
        stages = start(source, ScriptedEngine(delay_s=0.05))
        started = time.monotonic()
        results = drain(stages)
        assert stages.dropped > 20
        assert len(results) + stages.dropped == 100
        assert time.monotonic() - started < 30, "the replay keeps its pace"


class TestFrames:
    def test_every_frame_of_a_lossless_source_is_classified_in_order(self, start: Start) -> None:
        engine = ScriptedEngine()
        stages = start(ScriptedSource(100, end), engine, fps=1.0)
        assert [result.frame for result in drain(stages)] == list(range(100))
        assert engine.seen == list(range(100))
        assert (stages.captured, stages.dropped) == (100, 0)

    def test_a_slow_engine_gets_the_newest_frame_and_drops_are_counted(self, start: Start) -> None:
        stages = start(ScriptedSource(150, end, lossless=False, period_s=0.002), ScriptedEngine(delay_s=0.03))
        results = drain(stages)
        assert results[-1].frame == 149
        assert [result.frame for result in results] == sorted({result.frame for result in results})
        assert len(results) + stages.dropped == stages.captured == 150
        assert stages.dropped > 75

    def test_while_one_frame_is_inferred_the_next_is_read(self, start: Start) -> None:
        release = threading.Event()

        class Held(ScriptedEngine):
            def invoke(self) -> NDArray[np.generic]:
                release.wait(30)
                return super().invoke()

        engine = Held()
        stages = start(ScriptedSource(10, say_nothing), engine)
        assert wait_until(lambda: stages.captured >= 2 and stages.inferring_since_s is not None)
        assert engine.count == 0
        release.set()

    def test_an_engine_finds_its_last_two_inputs_as_they_were(self, start: Start) -> None:
        """A guard keeps them, to tell a repeated answer from a repeated frame."""
        engine = KeepingEngine()
        drain(start(ScriptedSource(200, end), engine))
        assert engine.count == 200
        assert engine.changed == 0

    def test_a_result_waits_for_no_further_frame(self, start: Start) -> None:
        stages = start(ScriptedSource(1, say_nothing))
        assert stages.next(5.0) is not None

    def test_what_was_inferred_is_handed_over_before_the_engine_fails(self, start: Start) -> None:
        stages = start(ScriptedSource(20, end), ScriptedEngine(fails_at=5))
        results = [stages.next(5.0) for _ in range(5)]
        assert [result.frame for result in results if result] == [0, 1, 2, 3, 4]
        with pytest.raises(EngineError, match="gone"):
            stages.next(5.0)

    def test_frames_that_waited_for_a_slow_reader_are_not_inferred(self, start: Start) -> None:
        engine = ScriptedEngine()
        stages = start(ScriptedSource(10**6, end, lossless=False, period_s=0.002), engine)
        assert stages.next(5.0) is not None
        time.sleep(0.5)  # one is inferred and waits here, one behind it
        before_s = time.monotonic()
        results = [stages.next(5.0) for _ in range(3)]
        assert results[-1] is not None
        assert results[-1].captured_mono_s > before_s - 0.1

    def test_none_comes_where_there_is_none_in_time(self, start: Start) -> None:
        assert start(ScriptedSource(0, say_nothing)).next(0.05) is None

    def test_a_source_without_frames_ends(self, start: Start) -> None:
        assert drain(start(ScriptedSource(0, end))) == []

    @pytest.mark.parametrize("lossless", [True, False])
    def test_few_pictures_worth_of_memory_serve_for_all(
        self, start: Start, lossless: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        used: dict[int, Tensor] = {}
        stages = start(ScriptedSource(300, end, lossless=lossless, period_s=0.0005), ScriptedEngine(delay_s=0.001))
        prepare = stages._pipeline.prepare

        def watched(frame: Frame) -> Prepared:
            prepared = prepare(frame)
            used.update((id(cut.tensor), cut.tensor) for cut in prepared.cuts)
            return prepared

        monkeypatch.setattr(stages._pipeline, "prepare", watched)
        assert drain(stages)[-1].frame == 299
        assert 0 < len(used) <= 6


class TestFreshness:
    def test_repeated_frames_are_not_classified(self, start: Start) -> None:
        guard, engine = FreshnessGuard(0.0), ScriptedEngine()
        source = ScriptedSource(20, end, lossless=False, has_noise=True, period_s=0.002, repeats=True)
        assert [result.frame for result in drain(start(source, engine, freshness=guard))] == [0]
        assert guard.repeated == 19
        assert engine.count == 1

    def test_a_camera_that_repeats_too_long_is_frozen(self, start: Start) -> None:
        source = ScriptedSource(10**6, end, lossless=False, has_noise=True, period_s=0.01, repeats=True)
        stages = start(source, freshness=FreshnessGuard(0.2))
        assert stages.next(5.0) is not None
        with pytest.raises(CameraError, match="frozen"):
            stages.next(5.0)

    def test_a_replay_may_repeat_itself(self, start: Start) -> None:
        source = ScriptedSource(20, end, has_noise=False, repeats=True)
        assert len(drain(start(source, freshness=FreshnessGuard(0.001)))) == 20


class ScriptedGate:
    """Lets each frame through whose number is in `through`; keeps what it judged; takes `delay_s` for each."""

    def __init__(self, through: Container[int] = (), *, delay_s: float = 0.0) -> None:
        self.judged: list[int] = []
        self._through, self._delay_s = through, delay_s

    def lets_through(self, prepared: Prepared) -> bool:
        time.sleep(self._delay_s)
        self.judged.append(prepared.frame.sequence)
        return prepared.frame.sequence in self._through


class TestGate:
    def test_only_what_it_lets_through_is_inferred(self, start: Start) -> None:
        gate, engine = ScriptedGate(range(0, 60, 20)), ScriptedEngine()
        stages = start(ScriptedSource(60, end), engine, gate=gate)
        assert [result.frame for result in drain(stages)] == [0, 20, 40]
        assert (engine.count, gate.judged) == (3, list(range(60)))
        assert stages.counts == FrameCounts(captured=60, turned_away=57, decided=3)
        assert stages.counts.looked_at == 60

    def test_every_frame_of_a_live_camera_is_accounted_for(self, start: Start) -> None:
        source = ScriptedSource(150, end, lossless=False, period_s=0.002)
        stages = start(source, ScriptedEngine(delay_s=0.03), gate=ScriptedGate(range(75)))
        drain(stages)
        counts = stages.counts
        assert counts.captured == 150
        assert counts.looked_at + counts.dropped == 150
        assert counts.turned_away == 75
        assert counts.dropped > 30

    def test_a_repeated_frame_is_none_that_it_turned_away(self, start: Start) -> None:
        """A frozen camera must not pass for a scene in which nothing moves."""
        gate = ScriptedGate()
        source = ScriptedSource(10**6, end, lossless=False, has_noise=True, period_s=0.01, repeats=True)
        stages = start(source, freshness=FreshnessGuard(0.2), gate=gate)
        with pytest.raises(CameraError, match="frozen"):
            stages.next(5.0)
        assert (stages.counts.turned_away, gate.judged) == (1, [0])
        assert stages.counts.repeated > 1

    def test_a_rate_applies_before_it(self, start: Start) -> None:
        """What the rate leaves out was not looked at."""
        stages = start(ScriptedSource(100, end, lossless=False, period_s=0.002), fps=1.0, gate=ScriptedGate())
        drain(stages)
        assert stages.captured == 100
        assert stages.counts.turned_away <= 3

    def test_the_time_that_it_takes_is_not_the_camera_s(self, start: Start) -> None:
        stages = start(ScriptedSource(3, say_nothing, lossless=False), gate=ScriptedGate(delay_s=0.5))
        assert wait_until(lambda: stages.judging_since_s is not None)
        time.sleep(0.3)
        stages.check(0.2)
        assert wait_until(lambda: stages.counts.turned_away == 3)
        assert stages.judging_since_s is None
        time.sleep(0.3)
        with pytest.raises(CameraError, match=r"no frame for 0.2 s"):
            stages.check(0.2)

    def test_an_error_in_it_is_raised_where_results_are_taken(self, start: Start) -> None:
        class Broken(ScriptedGate):
            def lets_through(self, prepared: Prepared) -> bool:
                raise ValueError("no such zone")

        with pytest.raises(ValueError, match="no such zone"):
            start(ScriptedSource(3, end), gate=Broken()).next(5.0)

    def test_a_closed_one_does_not_keep_the_capture_thread(self, start: Start) -> None:
        stages = start(ScriptedSource(10**6, end, lossless=False, period_s=0.01), gate=ScriptedGate())
        assert wait_until(lambda: stages.counts.turned_away > 3)
        assert stages.close()

    def test_a_silent_camera_behind_a_closed_one_is_found_out(self, start: Start) -> None:
        stages = start(ScriptedSource(3, say_nothing, lossless=False), gate=ScriptedGate())
        assert wait_until(lambda: stages.counts.turned_away == 3)
        time.sleep(0.3)
        with pytest.raises(CameraError, match=r"no frame for 0.2 s"):
            stages.check(0.2)


class TestHangs:
    def test_an_engine_that_hangs_while_it_takes_its_input_is_seen(self, start: Start) -> None:
        """Frames that a gate turns away would hide it."""
        let_go = threading.Event()

        class Stuck(ScriptedEngine):
            def load(self, tensor: Tensor) -> None:
                let_go.wait(30)

        gate = ScriptedGate(range(1))
        stages = start(ScriptedSource(10**6, end, lossless=False, period_s=0.01), Stuck(), gate=gate)
        assert wait_until(lambda: stages.inferring_since_s is not None and stages.counts.turned_away > 10)
        let_go.set()


class TestPace:
    def test_a_live_camera_is_slowed_down_to_it(self, start: Start) -> None:
        stages = start(ScriptedSource(200, end, lossless=False, period_s=0.005), fps=10.0)
        began_s = time.monotonic()
        results = drain(stages)
        assert 2 <= len(results) <= (time.monotonic() - began_s) * 10 + 2
        assert stages.captured == 200

    @pytest.mark.parametrize(("camera", "fps", "taken"), [(30, 10, 100), (30, 20, 200), (30, 30, 300), (10, 30, 100)])
    def test_of_ten_seconds_it_takes_what_it_may(self, camera: int, fps: int, taken: int) -> None:
        pace = Pace(float(fps))
        admitted = sum(pace.admits(1000.0 + number / camera) for number in range(10 * camera))
        assert admitted == pytest.approx(taken, abs=2)

    def test_a_frame_that_is_a_little_early_is_taken(self) -> None:
        pace = Pace(10.0)
        jittered = [number / 10 + (0.009 if number % 2 else 0.0) for number in range(100)]
        assert all(pace.admits(now_s) for now_s in jittered)

    def test_without_a_rate_all_are_taken(self) -> None:
        pace = Pace(None)
        assert all(pace.admits(1000.0) for _ in range(10))

    def test_a_pause_is_not_made_up_for(self) -> None:
        pace = Pace(1.0)
        pace.admits(0.0)
        assert sum(pace.admits(100.0 + number / 100) for number in range(1000)) <= 12

    @pytest.mark.parametrize("faster", [10.0, None])
    def test_a_faster_rate_holds_within_one_of_its_periods(self, faster: float | None) -> None:
        pace = Pace(0.001)
        assert sum(pace.admits(number / 100) for number in range(100)) < 3
        pace.set(faster)
        assert any(pace.admits(1.0 + number / 100) for number in range(12))

    def test_a_slower_rate_holds_after_the_next_frame(self) -> None:
        pace = Pace(None)
        pace.admits(0.0)
        pace.set(1.0)
        assert sum(pace.admits(number / 100) for number in range(1, 200)) <= 3


class TestFaults:
    def test_a_silent_camera_is_found_out(self, start: Start) -> None:
        stages = start(ScriptedSource(3, say_nothing, lossless=False))
        stages.check(60.0)
        assert wait_until(lambda: stages.captured == 3)
        time.sleep(0.3)
        with pytest.raises(CameraError, match=r"no frame for 0.2 s"):
            stages.check(0.2)

    def test_a_camera_is_not_blamed_for_a_pause_of_the_whole_process(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stages = start(ScriptedSource(0, say_nothing, lossless=False))
        monkeypatch.setattr("edge.worker.threads._HELD_UP_S", 0.2)
        time.sleep(0.5)  # in which nobody asked for a result
        assert stages.next(0.01) is None
        stages.check(0.3)

        def is_found_out() -> bool:
            assert stages.next(0.01) is None
            try:
                stages.check(0.3)
            except CameraError:
                return True
            return False

        assert wait_until(is_found_out), "the machine may pause this test, too; not each time"

    @pytest.mark.parametrize("lossless", [True, False])
    def test_a_replay_may_take_its_time(self, start: Start, lossless: bool) -> None:
        """Flat out or at a rate: a large picture takes long to decode."""
        stages = start(ScriptedSource(0, say_nothing, lossless=lossless, stalls=False))
        time.sleep(0.1)
        stages.check(0.05)

    def test_a_failing_camera_is_told_after_its_last_frame(self, start: Start) -> None:
        def unplug() -> None:
            raise CameraError("unplugged")

        stages = start(ScriptedSource(3, unplug))
        assert [stages.next(5.0).frame for _ in range(3)] == [0, 1, 2]  # type: ignore[union-attr]
        with pytest.raises(CameraError, match="unplugged"):
            stages.next(5.0)

    def test_a_failing_engine_is_told_after_what_it_did(self, start: Start) -> None:
        source = ScriptedSource(10**6, end)
        stages = start(source, ScriptedEngine(fails_at=2))
        assert [stages.next(5.0).frame for _ in range(2)] == [0, 1]  # type: ignore[union-attr]
        with pytest.raises(EngineError, match="accelerator is gone"):
            stages.next(5.0)

    def test_what_nobody_foresaw_is_told_too(self, start: Start) -> None:
        def stumble() -> None:
            raise MemoryError("no memory for a frame")

        with pytest.raises(MemoryError, match="for a frame"):
            start(ScriptedSource(0, stumble)).next(5.0)


class TestClose:
    def test_it_ends_the_threads_and_gives_the_camera_back(self, start: Start) -> None:
        before = set(threading.enumerate())
        source = ScriptedSource(10**6, end)
        stages = start(source)
        stages.next(5.0)
        assert len(set(threading.enumerate()) - before) == 2
        assert stages.close()
        assert source.closed.is_set()
        assert set(threading.enumerate()) <= before

    def test_a_thread_that_hangs_in_its_driver_is_left_behind(
        self, start: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        let_go = threading.Event()

        class Stuck(ScriptedSource):
            def read(self) -> Frame:
                let_go.wait(30)
                raise EndOfStream("at last")

        stages = start(Stuck(0, end))
        began_s = time.monotonic()
        assert not stages.close()
        assert time.monotonic() - began_s < 4.0
        assert "capture did not end within 2 s; left behind" in caplog.text
        let_go.set()

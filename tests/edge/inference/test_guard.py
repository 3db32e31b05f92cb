"""The engine guard: around a scripted engine with a clock of its own, then around real engines."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle.store import Bundle
from edge.errors import EngineError
from edge.fakes.software_edgetpu import ENVIRONMENT, Mode, Script, answers_for, write_answers, write_script
from edge.inference import golden
from edge.inference.edgetpu import load_edgetpu
from edge.inference.golden import GoldenInput, GoldenInputs
from edge.inference.guard import CANARY_S, CLEARED_S, GuardedClassifier
from edge.inference.runtime import TfliteRuntime, load_runtime
from edge.inference.tflite import TfliteClassifier
from edge.preprocess import Preprocessor, Tensor

SHAPE = (1, 16, 16, 3)


class Clock:
    """A clock that stands still unless moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class ScriptedEngine:
    """An engine of two or more classes, whose right answer is made from the input's first values.

    fault: changes the answer.
    takes_s: how far each inference moves the clock.
    """

    engine = "scripted"

    def __init__(self, clock: Clock, classes: int = 4, dtype: type[np.generic] = np.uint8) -> None:
        self.input = np.zeros(SHAPE, np.uint8)
        self.output = np.zeros((1, classes), dtype)
        self.fault: Callable[[NDArray[np.generic]], NDArray[np.generic] | None] | None = None
        self.takes_s = 0.0
        self.inferences = 0
        self.closed = False
        self._clock = clock

    def sound(self) -> NDArray[np.generic]:
        return self.input.reshape(-1)[: self.output.size].reshape(self.output.shape).astype(self.output.dtype)

    def load(self, tensor: Tensor) -> None:
        np.copyto(self.input, tensor.reshape(SHAPE))

    def mark_output(self, mark: Callable[[NDArray[np.generic]], None]) -> None:
        mark(self.output)

    def invoke(self) -> NDArray[np.generic]:
        self.inferences += 1
        self._clock.now += self.takes_s
        answer = self.sound() if self.fault is None else self.fault(self.output.copy())
        if answer is None:
            return self.output.copy()
        if answer.dtype != self.output.dtype or answer.shape != self.output.shape:
            return answer
        self.output[:] = answer
        return self.output.copy()

    def close(self) -> None:
        self.closed = True


def case(number: int, classes: int = 4) -> GoldenInput:
    tensor = np.full(SHAPE[1:], 40 * number, np.uint8)
    tensor[0, 0, 0] = 255 - 40 * number
    return GoldenInput(f"golden{number}", tensor, tensor.reshape(-1)[:classes].astype(np.int64), 0)


def golden_inputs(classes: int = 4, dtype: type[np.generic] = np.uint8) -> GoldenInputs:
    return GoldenInputs((case(1, classes), case(2, classes)), np.dtype(dtype), 1, 24)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(clock: Clock) -> ScriptedEngine:
    return ScriptedEngine(clock)


@pytest.fixture
def guard(engine: ScriptedEngine, clock: Clock) -> GuardedClassifier:
    return GuardedClassifier(engine, golden_inputs(), clock=clock)


def show(guard: GuardedClassifier, *values: int) -> NDArray[np.generic]:
    """Classify a picture that begins with `values` and ends with them, so that each is another picture."""

    picture = np.full(SHAPE, 9, np.uint8)
    flat = picture.reshape(-1)
    flat[: len(values)] = values
    flat[-len(values) :] = values
    guard.load(picture)
    return guard.invoke().reshape(-1)


def show_elsewhere(guard: GuardedClassifier, number: int) -> None:
    """Classify a different picture for each number; the right answer is the same for all."""

    picture = np.full(SHAPE, number, np.uint8)
    picture.reshape(-1)[:4] = 1, 2, 3, 4
    guard.load(picture)
    assert guard.invoke().reshape(-1).tolist() == [1, 2, 3, 4]


def answer(*values: int, dtype: type[np.generic] = np.uint8) -> Callable[[NDArray[np.generic]], NDArray[np.generic]]:
    return lambda _: np.array([values], dtype)


class TestSoundEngines:
    def test_go_through_unchanged(self, guard: GuardedClassifier, engine: ScriptedEngine) -> None:
        assert show(guard, 1, 2, 3, 4).tolist() == [1, 2, 3, 4]
        assert show(guard, 5, 6, 7, 8).tolist() == [5, 6, 7, 8]
        assert guard.engine == "scripted"
        assert (engine.inferences, guard.probes) == (2, 0)

    def test_may_repeat_themselves_on_the_same_picture(self, guard: GuardedClassifier, engine: ScriptedEngine) -> None:
        for _ in range(5):
            assert show(guard, 1, 2, 3, 4).tolist() == [1, 2, 3, 4]
        assert guard.probes == 0

    def test_answer_again_to_what_stays_loaded(self, guard: GuardedClassifier) -> None:
        show(guard, 1, 2, 3, 4)
        assert guard.invoke().reshape(-1).tolist() == [1, 2, 3, 4]
        assert guard.probes == 0

    def test_are_closed_with_it(self, guard: GuardedClassifier, engine: ScriptedEngine) -> None:
        guard.close()
        assert engine.closed


class TestWhatIsRefusedAtOnce:
    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            (np.zeros((1, 4), np.int8), r"answered int8 \(1, 4\), must be 4 values of uint8"),
            (np.zeros((1, 3), np.uint8), r"answered uint8 \(1, 3\)"),
        ],
    )
    def test_another_dtype_or_size(
        self, guard: GuardedClassifier, engine: ScriptedEngine, wrong: NDArray[np.generic], said: str
    ) -> None:
        engine.fault = lambda _: wrong
        with pytest.raises(EngineError, match=said):
            show(guard, 1, 2, 3, 4)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_values_that_are_not_finite(self, clock: Clock, value: float) -> None:
        engine = ScriptedEngine(clock, dtype=np.float32)
        guard = GuardedClassifier(engine, golden_inputs(dtype=np.float32), clock=clock)
        assert show(guard, 1, 2, 3, 4).tolist() == [1, 2, 3, 4]
        engine.fault = lambda _: np.array([[0, 1, 2, value]], np.float32)
        with pytest.raises(EngineError, match="not finite"):
            show(guard, 1, 2, 3, 5)

    @pytest.mark.parametrize("classes", [2, 4, 64])
    def test_an_output_that_was_not_written(self, clock: Clock, classes: int) -> None:
        engine = ScriptedEngine(clock, classes)
        guard = GuardedClassifier(engine, golden_inputs(classes), clock=clock)
        show(guard, 1, 2)
        engine.fault = lambda _: None
        with pytest.raises(EngineError, match="unwritten"):
            show(guard, 3, 4)

    def test_an_output_whose_tail_was_not_written(self, clock: Clock) -> None:
        """As after an interrupted transfer."""
        engine = ScriptedEngine(clock, 64)
        guard = GuardedClassifier(engine, golden_inputs(64), clock=clock)

        def half(before: NDArray[np.generic]) -> NDArray[np.generic]:
            before[:, :32] = engine.sound()[:, :32]
            return before

        engine.fault = half
        with pytest.raises(EngineError, match="or a part of it, unwritten"):
            show(guard, 1, 2)

    def test_an_output_that_was_not_written_once(self, guard: GuardedClassifier, engine: ScriptedEngine) -> None:
        skipped: Iterator[bool] = iter([True])
        engine.fault = lambda _: None if next(skipped, False) else engine.sound()
        with pytest.raises(EngineError, match="unwritten"):
            show(guard, 1, 2, 3, 4)

    def test_every_answer_of_a_model_of_two_classes_is_possible(self, clock: Clock) -> None:
        """Even one that equals the mark by chance."""
        engine = ScriptedEngine(clock, 2)
        guard = GuardedClassifier(engine, golden_inputs(2), clock=clock)
        for first in range(0, 256, 5):
            for second in range(256):
                assert show(guard, first, second).tolist() == [first, second]


class TestRepetitions:
    """They need not be wrong: a golden input decides before the answer is returned."""

    def test_an_engine_that_is_stuck_is_found_at_the_first_repetition(
        self, guard: GuardedClassifier, engine: ScriptedEngine
    ) -> None:
        show(guard, 1, 2, 3, 4)
        engine.fault = answer(1, 2, 3, 4)
        with pytest.raises(EngineError, match="wrong answer to a golden input, run because it repeated its answer"):
            show(guard, 5, 6, 7, 8)

    def test_an_engine_that_was_stuck_once_is_found_too(self, guard: GuardedClassifier, engine: ScriptedEngine) -> None:
        """On the golden input it works again; only the second inference reveals the wrong answer."""
        before = show(guard, 1, 2, 3, 4).tolist()
        turns = iter([np.uint8([before])])
        engine.fault = lambda _: next(turns, engine.sound())
        with pytest.raises(EngineError, match="gave two answers to the same input, run again because it repeated"):
            show(guard, 5, 6, 7, 8)
        assert show(guard, 5, 6, 7, 8).tolist() == [5, 6, 7, 8]

    def test_the_golden_input_is_one_that_tells(self, guard: GuardedClassifier, engine: ScriptedEngine) -> None:
        """An engine stuck at the answer to a golden input would pass that one."""
        for number in (1, 2):
            stuck = [int(v) for v in case(number).expected]
            engine.fault = None
            show(guard, *stuck)
            engine.fault = answer(*stuck)
            with pytest.raises(EngineError, match=f"golden{3 - number}: outputs differ"):
                show(guard, 5, 6, 7, 8)

    def test_an_engine_that_gives_all_classes_the_same_is_found_at_once(
        self, guard: GuardedClassifier, engine: ScriptedEngine
    ) -> None:
        engine.fault = answer(7, 7, 7, 7)
        with pytest.raises(EngineError, match="run because it gave all classes the same score"):
            show(guard, 1, 2, 3, 4)

    def test_a_sound_engine_may_repeat_itself(
        self, guard: GuardedClassifier, engine: ScriptedEngine, clock: Clock
    ) -> None:
        """Pictures that differ elsewhere: the answer stays. One golden input, then one every two seconds."""
        for number in range(20):
            clock.now += CLEARED_S / 10
            show_elsewhere(guard, number)
        assert 2 <= guard.probes <= 3

    def test_on_a_slow_engine_golden_inputs_are_rarer(
        self, guard: GuardedClassifier, engine: ScriptedEngine, clock: Clock
    ) -> None:
        """A still scene, half a second for an inference: one test in twenty, not one in four."""
        engine.takes_s = 0.5
        for number in range(1, 80):
            show_elsewhere(guard, number)
        assert 4 <= guard.probes <= 5
        assert engine.inferences <= 80 * 1.13

    def test_and_what_was_loaded_stays_loaded(self, guard: GuardedClassifier, engine: ScriptedEngine) -> None:
        assert show(guard, 6, 6, 6, 6).tolist() == [6, 6, 6, 6]
        assert guard.probes == 1
        assert guard.invoke().reshape(-1).tolist() == [6, 6, 6, 6]
        assert guard.probes == 1

    def test_the_answer_to_the_golden_input_is_not_given_out(self, engine: ScriptedEngine, clock: Clock) -> None:
        """An engine that gets stuck right after a canary repeats the canary's answer: that is a repetition too."""
        guard = GuardedClassifier(engine, golden_inputs(), canary=True, clock=clock)
        show(guard, 9, 6, 6, 6)
        clock.now += CANARY_S
        show(guard, 9, 7, 7, 7)
        assert guard.probes == 2
        engine.fault = answer(*(int(v) for v in engine.output.reshape(-1)))
        with pytest.raises(EngineError, match="repeated its answer"):
            show(guard, 9, 2, 3, 4)

    def test_a_repetition_that_was_cleared_is_asked_again_later(
        self, guard: GuardedClassifier, engine: ScriptedEngine, clock: Clock
    ) -> None:
        show(guard, 6, 6, 6, 6)
        engine.fault = answer(6, 6, 6, 6)
        clock.now += CLEARED_S / 2
        assert show(guard, 1, 2, 3, 4).tolist() == [6, 6, 6, 6]
        clock.now += CLEARED_S
        with pytest.raises(EngineError, match="wrong answer to a golden input"):
            show(guard, 5, 6, 7, 8)


class TestCanaries:
    @pytest.fixture
    def guard(self, engine: ScriptedEngine, clock: Clock) -> GuardedClassifier:
        return GuardedClassifier(engine, golden_inputs(), canary=True, clock=clock)

    def serve(self, guard: GuardedClassifier, clock: Clock, seconds: float, every_s: float = 0.01) -> None:
        end = clock.now + seconds
        number = 0
        while clock.now < end:
            clock.now += every_s
            number += 1
            show(guard, 5 + number % 250, 2, 3, 4)

    def test_sing_once_a_second(self, guard: GuardedClassifier, clock: Clock) -> None:
        self.serve(guard, clock, 10.05)
        assert 9 <= guard.probes <= 10

    def test_sing_in_still_scenes_as_well(self, guard: GuardedClassifier, clock: Clock) -> None:
        for number in range(1000):
            clock.now += 0.01
            show_elsewhere(guard, number % 250)
        assert 9 + 4 <= guard.probes <= 10 + 5

    def test_take_at_most_one_percent_of_the_time(
        self, guard: GuardedClassifier, engine: ScriptedEngine, clock: Clock
    ) -> None:
        engine.takes_s = 0.1
        self.serve(guard, clock, 60, every_s=0)
        guard.probes -= 1  # before the very first answer
        assert 5 <= guard.probes <= 6
        assert guard.probes <= 0.0101 * engine.inferences

    @pytest.mark.parametrize("seed", range(1, 6))  # 0 gives the same bytes that outputs are marked with
    def test_find_noise_as_soon_as_it_changes_the_best_class(
        self, guard: GuardedClassifier, engine: ScriptedEngine, clock: Clock, seed: int
    ) -> None:
        self.serve(guard, clock, 3)
        rng = np.random.default_rng(seed)
        given: list[int] = []

        def noise(_: NDArray[np.generic]) -> NDArray[np.generic]:
            raw = rng.integers(0, 256, (1, 4), np.uint8)
            given.append(int(raw.argmax()))
            return raw

        engine.fault = noise
        with pytest.raises(EngineError, match=r"run because the best class changed|run as a canary"):
            self.serve(guard, clock, 10)
        assert set(given[:-2]) <= {0}  # the one before last is the answer held back, the last the golden input's

    def test_find_noise_that_agrees_with_the_last_answer_within_a_second(
        self, guard: GuardedClassifier, engine: ScriptedEngine, clock: Clock
    ) -> None:
        self.serve(guard, clock, 3)
        rng = np.random.default_rng(6)
        engine.fault = lambda _: np.uint8([[255, *rng.integers(0, 255, 3)]])
        began = clock.now
        with pytest.raises(EngineError, match="run as a canary"):
            self.serve(guard, clock, 10)
        assert clock.now - began <= CANARY_S + 0.02

    def test_find_noise_that_came_once(self, guard: GuardedClassifier, engine: ScriptedEngine, clock: Clock) -> None:
        self.serve(guard, clock, 3)
        turns = iter([np.uint8([[3, 200, 5, 1]])])
        engine.fault = lambda _: next(turns, engine.sound())
        with pytest.raises(
            EngineError, match="two answers to the same input, run again because the best class changed"
        ):
            self.serve(guard, clock, 1)

    def serve_changes(self, guard: GuardedClassifier, clock: Clock, frames: int, every_s: float) -> None:
        for number in range(frames):
            clock.now += every_s
            show(guard, *(9 if n == number % 4 else number % 7 for n in range(4)))

    def test_a_scene_that_changes_all_the_time_costs_one_percent(
        self, guard: GuardedClassifier, engine: ScriptedEngine, clock: Clock
    ) -> None:
        engine.takes_s = 0.003
        self.serve_changes(guard, clock, 4000, every_s=0.0001)  # a usual pause between two inferences
        assert engine.inferences <= 4000 * 1.012  # in place of the canaries

    @pytest.mark.parametrize(("every_s", "tested"), [(0.1, 100), (0.033, 34)])
    def test_where_the_engine_waits_for_frames_changes_are_tested_ten_times_a_second(
        self, guard: GuardedClassifier, engine: ScriptedEngine, clock: Clock, every_s: float, tested: int
    ) -> None:
        engine.takes_s = 0.003
        self.serve_changes(guard, clock, 100, every_s)
        assert guard.probes == pytest.approx(tested, abs=2)

    def test_sing_on_after_one_inference_that_was_held_up(
        self, guard: GuardedClassifier, engine: ScriptedEngine, clock: Clock
    ) -> None:
        """As on a busy machine: one inference takes 0.07 s, after which 1 % of the time means no canary for 7 s."""
        engine.takes_s = 0.003
        self.serve(guard, clock, 3)
        for _ in range(2):
            engine.takes_s = 0.07
            clock.now += CANARY_S
            show(guard, 9, 2, 3, 4)
            engine.takes_s = 0.003
            before = guard.probes
            self.serve(guard, clock, 2 * CANARY_S + 0.1)
            assert guard.probes >= before + 2

    def test_go_through_all_golden_inputs(self, guard: GuardedClassifier, engine: ScriptedEngine, clock: Clock) -> None:
        """Right on the first, wrong on the second."""

        def half_right(_: NDArray[np.generic]) -> NDArray[np.generic]:
            return engine.sound() if engine.input[0, 0, 0, 0] != case(2).tensor[0, 0, 0] else answer(0, 9, 0, 9)(_)

        engine.fault = half_right
        with pytest.raises(EngineError, match="golden2"):
            self.serve(guard, clock, 4)


@pytest.fixture(scope="module")
def prepared(sealed: Bundle) -> GoldenInputs:
    return golden.prepare(sealed, Preprocessor(sealed.manifest.preprocessing, sealed.manifest.input))


class TestGoldenInputs:
    def test_run_at_the_start_through_the_guard(self, sealed: Bundle, prepared: GoldenInputs) -> None:
        guard = GuardedClassifier(TfliteClassifier(load_runtime(), sealed.model), prepared)
        report = prepared.require(guard)
        assert report.cases == 4
        assert report.worst_pixel == 0
        assert guard.probes == 0

    def test_are_prepared_once_and_say_what_the_bundle_says(self, sealed: Bundle, prepared: GoldenInputs) -> None:
        classifier = TfliteClassifier(load_runtime(), sealed.model)
        fitting = Preprocessor(sealed.manifest.preprocessing, sealed.manifest.input)
        assert prepared.check(classifier) == golden.require(sealed, classifier, fitting)

    def test_of_another_resize_are_a_problem(self, sealed: Bundle) -> None:
        manifest = sealed.manifest
        cropping = msgspec.structs.replace(manifest.preprocessing, resize="crop", crop_fraction=0.5)
        wrong = golden.prepare(sealed, Preprocessor(cropping, manifest.input))
        report = wrong.check(TfliteClassifier(load_runtime(), sealed.model))
        assert "pixels differ" in (report.problem or "")

    def test_are_not_all_of_one_class(self, sealed: Bundle) -> None:
        """So that an engine that always answers one class fails on some."""
        assert len({int(np.argmax(case.output)) for case in sealed.manifest.golden.cases}) > 1


class TestAroundRealEngines:
    def test_the_mark_is_written_over_and_leaves_no_trace(
        self, each_runtime: TfliteRuntime, sealed: Bundle, prepared: GoldenInputs
    ) -> None:
        plain = TfliteClassifier(each_runtime, sealed.model)
        guard = GuardedClassifier(TfliteClassifier(each_runtime, sealed.model), prepared, canary=True)
        rng = np.random.default_rng(3)
        for _ in range(10):
            picture = rng.integers(0, 256, (1, 128, 128, 3), np.uint8)
            for classifier in (plain, guard):
                classifier.load(picture)
            assert np.array_equal(plain.invoke(), guard.invoke())

    def test_the_input_survives_an_inference(self, each_runtime: TfliteRuntime, sealed: Bundle) -> None:
        """The guard infers a second time if an output looks unwritten."""
        classifier = TfliteClassifier(each_runtime, sealed.model)
        picture = np.random.default_rng(4).integers(0, 256, (1, 128, 128, 3), np.uint8)
        classifier.load(picture)
        classifier.invoke()
        assert np.array_equal(classifier._input(), picture)


class TestAroundTheSoftwareEdgeTpu:
    """Every kind of wrong answer, through the real load_delegate and the compiled model."""

    @pytest.fixture
    def pictures(self) -> list[NDArray[np.uint8]]:
        rng = np.random.default_rng(5)
        return [rng.integers(0, 256, (1, 128, 128, 3), np.uint8) for _ in range(4)]

    @pytest.fixture
    def serving(
        self,
        each_runtime: TfliteRuntime,
        sealed: Bundle,
        prepared: GoldenInputs,
        pictures: list[NDArray[np.uint8]],
        edgetpu_library: Path,
        shared: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> GuardedClassifier:
        """Return a guarded software Edge TPU with answers to golden inputs and pictures; the former have run."""
        monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
        twin = TfliteClassifier(each_runtime, sealed.model)
        write_answers(tmp_path, answers_for(twin, [*pictures, *(case.tensor for case in prepared.cases)]))
        write_script(tmp_path, Script())
        compiled = (shared / "models" / "mobilenet_v1_0.25_128_quant_edgetpu.tflite").read_bytes()
        delegate = load_edgetpu(each_runtime, library=str(edgetpu_library), device="")
        guard = GuardedClassifier(
            TfliteClassifier(each_runtime, compiled, delegate=delegate, processor="edgetpu"), prepared, canary=True
        )
        prepared.require(guard)
        return guard

    def classify(self, guard: GuardedClassifier, picture: NDArray[np.uint8]) -> NDArray[np.generic]:
        guard.load(picture)
        return guard.invoke()

    def test_right_answers_go_through(
        self, each_runtime: TfliteRuntime, serving: GuardedClassifier, pictures: list[NDArray[np.uint8]], sealed: Bundle
    ) -> None:
        twin = TfliteClassifier(each_runtime, sealed.model)
        for picture in pictures:
            twin.load(picture)
            assert np.array_equal(self.classify(serving, picture), twin.invoke())

    @pytest.mark.parametrize(
        ("mode", "said"),
        [
            ("error", "fails, by its script"),
            ("absent", "is gone"),
            ("unwritten", "unwritten"),
            ("constant", "gave all classes the same score"),
            ("stale", "repeated its answer"),
        ],
    )
    def test_wrong_ones_do_not(
        self, serving: GuardedClassifier, pictures: list[NDArray[np.uint8]], tmp_path: Path, mode: Mode, said: str
    ) -> None:
        self.classify(serving, pictures[0])
        write_script(tmp_path, Script(mode=mode))
        time.sleep(0.02)
        with pytest.raises(EngineError, match=said):
            self.classify(serving, pictures[1])

    def test_noise_is_found_at_once(
        self, serving: GuardedClassifier, pictures: list[NDArray[np.uint8]], tmp_path: Path
    ) -> None:
        write_script(tmp_path, Script(mode="garbage", time_us=2000))
        time.sleep(0.02)  # until it takes effect: before, a fast machine has had most of its 500 answers
        with pytest.raises(EngineError, match="run because the best class changed"):
            for _ in range(500):  # a second of the guard's clock, however long this machine takes
                self.classify(serving, pictures[0])

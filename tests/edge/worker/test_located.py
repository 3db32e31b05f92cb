"""What is located is cut out and classified, through the whole pipeline and its threads."""

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
import pytest
from made_frames import FPS, HEIGHT, WIDTH, MadeCamera, walk
from numpy.typing import NDArray
from scripted import ScriptedEngine, ScriptedSource, end, pipeline

from edge.bundle.store import Bundle
from edge.errors import EndOfStream, EngineError
from edge.locating.motion import MotionFinder
from edge.locating.places import Cutting, Found, Place, overlap, place_of
from edge.preprocess import Preprocessor, Region, Tensor
from edge.records import Frame, Pixels
from edge.results import Result
from edge.worker.cutting import Cutter, Detector
from edge.worker.pipeline import Pipeline
from edge.worker.threads import Pace, Stages

PLACES = (Place(16, 16, 48, 48), Place(64, 64, 112, 112), Place(0, 96, 32, 128))


class ScriptedFinder:
    """Finds the same places in each frame but those whose number is in `nothing_in`."""

    def __init__(self, *places: Place, nothing_in: Sequence[int] = (), fails: bool = False) -> None:
        self._places, self._nothing_in, self._fails = places, nothing_in, fails
        self.frames, self.closed = 0, False

    def find(self, frame_bgr: Pixels) -> Sequence[Found]:
        if self._fails:
            raise EngineError("the detector is gone")
        self.frames += 1
        if self.frames - 1 in self._nothing_in:
            return ()
        return [Found(place, 0.9 - 0.1 * number) for number, place in enumerate(self._places)]

    def close(self) -> None:
        self.closed = True


class ColourEngine(ScriptedEngine):
    """Names class n for a picture whose first pixel is n, surer for larger n."""

    def invoke(self) -> NDArray[np.generic]:
        raw = np.zeros((1, 1001), np.uint8)
        raw[0, self.seen[-1]] = 100 + self.seen[-1]
        return raw


def cutter(
    bundle: Bundle,
    *,
    detector: Detector | None = None,
    motion: MotionFinder | None = None,
    most: int = 3,
    region: Region | None = None,
) -> Cutter:
    preprocessor = Preprocessor(bundle.manifest.preprocessing, bundle.manifest.input, region=region)
    cutting = Cutting(padding=0.0, least_px=16)
    return Cutter(preprocessor, cutting, most=most, motion=motion, detector=detector)


def drain(stages: Stages) -> list[Result]:
    results = []
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            result = stages.next(1.0)
        except EndOfStream:
            return results
        if result is not None:
            results.append(result)
    raise AssertionError("it did not end")


@pytest.fixture
def start() -> Iterator[Callable[..., Stages]]:
    running: list[Stages] = []

    def begin(source: object, of: Pipeline) -> Stages:
        running.append(Stages(source, of, Pace(None)))  # type: ignore[arg-type]
        return running[-1]

    yield begin
    for stages in running:
        stages.close()


def coloured(*colours: int) -> Frame:
    """A frame with one of PLACES in each of these colours."""
    image = np.zeros((128, 128, 3), np.uint8)
    for place, colour in zip(PLACES, colours, strict=False):
        image[place.top : place.bottom, place.left : place.right] = colour
    return Frame(image, 0, time.monotonic(), 1.7e9)


def judged(of: Pipeline, frame: Frame) -> Result:
    prepared = of.locate(of.prepare(frame))
    of.load(prepared)
    return of.decide(of.invoke(prepared), dropped=0)


class TestResults:
    def test_hold_the_box_that_the_label_was_found_in_and_the_others(self, sealed: Bundle) -> None:
        of = pipeline(sealed, ColourEngine(), cutter=cutter(sealed, detector=ScriptedFinder(*PLACES)))
        result = judged(of, coloured(20, 90, 40))
        assert (result.label, result.box) == (sealed.labels[90], PLACES[1].shares(128, 128))
        assert [(one.label, one.box) for one in result.others] == [
            (sealed.labels[20], PLACES[0].shares(128, 128)),
            (sealed.labels[40], PLACES[2].shares(128, 128)),
        ]

    def test_are_of_what_shows_something_before_what_shows_background(self, sealed: Bundle) -> None:
        background = frozenset([sealed.labels[90]])
        finder = ScriptedFinder(*PLACES)
        of = pipeline(sealed, ColourEngine(), cutter=cutter(sealed, detector=finder), background=background)
        assert judged(of, coloured(20, 90, 40)).label == sealed.labels[40]

    def test_hold_no_more_boxes_than_wanted(self, sealed: Bundle) -> None:
        of = pipeline(sealed, ColourEngine(), cutter=cutter(sealed, detector=ScriptedFinder(*PLACES), most=1))
        result = judged(of, coloured(20, 90, 40))
        assert (result.label, result.others) == (sealed.labels[20], ())

    def test_without_locating_are_as_they_were(self, sealed: Bundle) -> None:
        result = pipeline(sealed, ScriptedEngine()).process(coloured(5))
        assert {"box", "others"}.isdisjoint(msgspec.to_builtins(result))

    def test_boxes_are_of_the_whole_frame_also_with_a_region(self, sealed: Bundle) -> None:
        region = (0.5, 0.25, 0.5, 0.75)
        finder = ScriptedFinder(Place(0, 0, 32, 32))
        of = Pipeline(
            sealed,
            Preprocessor(sealed.manifest.preprocessing, sealed.manifest.input, region=region),
            ColourEngine(),  # type: ignore[arg-type]
            pipeline(sealed, ScriptedEngine())._decider,
            cutter=cutter(sealed, detector=finder, region=region),
        )
        frame = coloured()
        frame.image_bgr[32:64, 64:96] = 50
        result = judged(of, frame)
        assert result.label == sealed.labels[50]
        assert result.box == (0.5, 0.25, 0.25, 0.25)
        assert of.part(frame.image_bgr, result.box).mean() == 50


class TestStages:
    def test_frames_in_which_nothing_moves_are_looked_at_and_not_classified(
        self, sealed: Bundle, start: Callable[..., Stages]
    ) -> None:
        engine, motion = ScriptedEngine(), MotionFinder(least=0.025, still_s=60.0)
        stages = start(ScriptedSource(30, end), pipeline(sealed, engine, cutter=cutter(sealed, motion=motion)))
        assert drain(stages) == []
        assert engine.count == 0
        assert (stages.counts.captured, stages.counts.turned_away, stages.counts.looked_at) == (30, 30, 30)

    def test_frames_in_which_a_detector_finds_nothing_are_as_well(
        self, sealed: Bundle, start: Callable[..., Stages]
    ) -> None:
        finder = ScriptedFinder(PLACES[0], nothing_in=range(0, 20, 2))
        stages = start(
            ScriptedSource(20, end), pipeline(sealed, ScriptedEngine(), cutter=cutter(sealed, detector=finder))
        )
        assert [result.frame for result in drain(stages)] == list(range(1, 20, 2))
        assert (stages.counts.turned_away, stages.counts.decided) == (10, 10)

    def test_a_replay_classifies_all_boxes(self, sealed: Bundle, start: Callable[..., Stages]) -> None:
        engine = ScriptedEngine(delay_s=0.002)
        of = pipeline(sealed, engine, cutter=cutter(sealed, detector=ScriptedFinder(*PLACES)))
        assert [len(result.others) for result in drain(start(ScriptedSource(10, end), of))] == [2] * 10

    def test_a_newer_frame_of_a_camera_comes_before_further_boxes(
        self, sealed: Bundle, start: Callable[..., Stages]
    ) -> None:
        engine = ScriptedEngine(delay_s=0.02)
        of = pipeline(sealed, engine, cutter=cutter(sealed, detector=ScriptedFinder(*PLACES)))
        source = ScriptedSource(60, end, lossless=False, period_s=0.005)
        results = drain(start(source, of))
        assert sum(len(result.others) for result in results) < len(results)

    def test_a_detector_that_fails_is_the_engines_fault(self, sealed: Bundle, start: Callable[..., Stages]) -> None:
        of = pipeline(sealed, ScriptedEngine(), cutter=cutter(sealed, detector=ScriptedFinder(fails=True)))
        stages = start(ScriptedSource(5, end), of)
        with pytest.raises(EngineError, match="the detector is gone"):
            drain(stages)

    def test_few_pictures_worth_of_memory_serve_for_all_boxes(
        self, sealed: Bundle, start: Callable[..., Stages], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        of = pipeline(sealed, ScriptedEngine(), cutter=cutter(sealed, detector=ScriptedFinder(*PLACES)))
        used: dict[int, Tensor] = {}
        locate = of.locate

        def watched(prepared: object) -> object:
            located = locate(prepared)  # type: ignore[arg-type]
            used.update((id(cut.tensor), cut.tensor) for cut in located.cuts)
            return located

        monkeypatch.setattr(of, "locate", watched)
        drain(start(ScriptedSource(200, end), of))
        assert 0 < len(used) <= 12


class TestMotion:
    def test_what_moves_is_cut_out_of_the_full_frame(self, sealed: Bundle) -> None:
        camera, engine = MadeCamera(), ScriptedEngine()
        of = pipeline(sealed, engine, cutter=cutter(sealed, motion=MotionFinder(least=0.025, still_s=60.0)))
        frames = [camera.frame() for _ in range(15)] + [camera.frame(at) for at in walk(10)]
        boxes = []
        for number, image in enumerate(frames):
            prepared = of.prepare(Frame(image, number, number / FPS, 0.0))
            boxes.append(prepared.cuts[0].box if prepared.cuts else None)
            of.drop(prepared)
        assert boxes[:16] == [None] * 16
        for box, at in zip(boxes[16:], list(walk(10))[1:], strict=True):
            assert box is not None
            assert overlap(place_of(box, WIDTH, HEIGHT), at) > 0.6

    def test_the_times_of_a_recording_take_the_place_of_the_clock(self, sealed: Bundle) -> None:
        """Replay shows what was live: the same frames at the same times, whenever they are read."""
        camera = MadeCamera()
        frames = [camera.frame() for _ in range(15)] + [camera.frame(at) for at in walk(10)]

        def boxes(at: Callable[[int], dict[str, float]]) -> list[object]:
            motion = MotionFinder(least=0.025, still_s=5.0)
            of = pipeline(sealed, ScriptedEngine(), cutter=cutter(sealed, motion=motion))
            prepared = [
                of.prepare(Frame(image, i, captured_wall_s=0.0, **at(i)))  # type: ignore[arg-type]
                for i, image in enumerate(frames)
            ]
            return [[cut.box for cut in one.cuts] for one in prepared]

        live = boxes(lambda i: {"captured_mono_s": 500 + i / FPS})
        assert any(live)
        assert boxes(lambda i: {"captured_mono_s": 1e6 + i * 1e-4, "recorded_s": i / FPS}) == live


def test_a_camera_gives_all_of_its_pixels_when_parts_are_cut_out(sealed: Bundle) -> None:
    assert pipeline(sealed, ScriptedEngine()).least_size == (128, 128)
    assert pipeline(sealed, ScriptedEngine(), cutter=cutter(sealed, detector=ScriptedFinder())).least_size is None


def test_closing_frees_the_detector_too(sealed: Bundle) -> None:
    finder = ScriptedFinder()
    pipeline(sealed, ScriptedEngine(), cutter=cutter(sealed, detector=finder)).close()
    assert finder.closed

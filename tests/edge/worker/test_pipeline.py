"""One frame in, one result out: where each number of a result comes from."""

import time
import tracemalloc

import numpy as np
import pytest
from scripted import ScriptedEngine, pipeline

from edge.bundle.store import Bundle
from edge.decision import Decider
from edge.errors import EngineError, ImageError
from edge.preprocess import Preprocessor
from edge.records import Frame, Scores
from edge.results import Decision
from edge.worker.pipeline import Pipeline, Prepared


def frame(grey: int = 40, age_s: float = 0.0, **values: object) -> Frame:
    image = np.full((128, 128, 3), grey, np.uint8)
    return Frame(image, 5, time.monotonic() - age_s, 1.7e9, **values)  # type: ignore[arg-type]


def test_a_result_says_what_was_seen_where_and_by_whom(sealed: Bundle) -> None:
    result = pipeline(sealed, ScriptedEngine()).process(frame(name="owl.jpg"))
    assert (result.frame, result.image, result.captured_wall_s) == (5, "owl.jpg", 1.7e9)
    assert result.label == sealed.labels[7]
    assert result.score == pytest.approx(200 / 256, abs=0.01)
    assert (result.engine, result.bundle, result.dropped) == ("scripted", sealed.bundle_id, 0)
    assert result.fallback is None


def test_the_fallback_travels_in_every_result(sealed: Bundle) -> None:
    serving = pipeline(sealed, ScriptedEngine(), fallback="Edge TPU lost: unplugged")
    assert [serving.process(frame()).fallback for _ in range(2)] == ["Edge TPU lost: unplugged"] * 2


def test_the_latency_runs_from_capture_and_its_parts_make_the_whole(sealed: Bundle) -> None:
    latency = pipeline(sealed, ScriptedEngine(delay_s=0.03)).process(frame(age_s=0.2)).latency_ms
    assert latency.inference >= 30
    assert latency.wait >= 199
    assert latency.total >= 230
    parts = latency.wait + latency.preprocess + latency.inference + latency.postprocess
    assert parts == pytest.approx(latency.total, abs=1.0)


def test_the_stages_can_run_apart_and_interleaved(sealed: Bundle) -> None:
    engine = ScriptedEngine()
    apart = pipeline(sealed, engine)
    prepared = [apart.prepare(frame(grey)) for grey in (10, 20, 30)]
    inferred = []
    for one in prepared:
        apart.load(one)
        inferred.append(apart.invoke(one))
    results = [apart.decide(one, dropped=number) for number, one in enumerate(inferred)]
    assert engine.seen == [10, 20, 30]
    assert [result.dropped for result in results] == [0, 1, 2]


def test_an_observer_gets_each_frame_with_its_own_scores_before_any_smoothing(sealed: Bundle) -> None:
    class Watching:
        def look(self, prepared: Prepared, scores: Scores, decision: Decision) -> None:
            seen.append((prepared.frame, float(scores.values[7]), decision.score))

    seen: list[tuple[Frame, float, float]] = []
    engine = ScriptedEngine()
    smoothing = Pipeline(
        sealed,
        Preprocessor(sealed.manifest.preprocessing, sealed.manifest.input),
        engine,  # type: ignore[arg-type]
        Decider(sealed.labels, thresholds=(0.0,) * len(sealed.labels), smoothing=0.5, top=1),
    )
    frames = [frame(grey) for grey in (10, 20)]
    for one, answer in zip(frames, (200, 100), strict=True):
        engine.answer = answer
        prepared = smoothing.prepare(one)
        smoothing.load(prepared)
        smoothing.decide(smoothing.invoke(prepared), dropped=0, observer=Watching())
    assert [one for one, _, _ in seen] == frames
    assert [score for _, score, _ in seen] == pytest.approx([200 / 256, 100 / 256], abs=0.01)
    assert [score for _, _, score in seen] == pytest.approx([200 / 256, 150 / 256], abs=0.01)


def test_no_picture_is_allocated_for_a_frame(sealed: Bundle) -> None:
    steady = pipeline(sealed, ScriptedEngine())
    picture = frame()
    for _ in range(3):
        steady.process(picture)
    tracemalloc.start()
    try:
        for _ in range(3):
            steady.process(picture)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 128 * 128 * 2  # the scores of 1,001 classes; a picture is half as much again


def test_what_is_no_picture_is_refused_before_the_engine_sees_it(sealed: Bundle) -> None:
    engine = ScriptedEngine()
    with pytest.raises(ImageError, match="uint8"):
        pipeline(sealed, engine).process(Frame(np.zeros((8, 8), np.uint8), 0, 0.0, 0.0))
    assert not engine.seen


def test_a_failing_engine_is_an_engine_error(sealed: Bundle) -> None:
    with pytest.raises(EngineError, match="accelerator is gone"):
        pipeline(sealed, ScriptedEngine(fails_at=0)).process(frame())

"""Which frames are kept for the next training, and why."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from kept import Outbox, frame, prepared
from numpy.typing import NDArray
from scripted import wait_until

from edge.bundle.store import Bundle
from edge.config.keeping import Harvest, Pictures
from edge.errors import EngineError
from edge.preprocess import Preprocessor, Tensor
from edge.processes.messages import Sampled
from edge.records import Scores
from edge.results import Candidate, Decision
from edge.worker.keeping.background import BackgroundThread
from edge.worker.keeping.harvest import Chooser, Harvester, Judge
from edge.worker.keeping.jpeg import JpegEncoder
from edge.worker.keeping.second_opinion import SecondOpinion
from edge.worker.keeping.sending import PictureSender

LABELS = ("nothing", "fox", "owl", "deer")
JUDGE = Judge(LABELS, (0.5, 0.6, 0.6, 0.6), frozenset({"nothing"}))
CERTAIN = (0.02, 0.94, 0.02, 0.02)
ALL = Harvest(max_mb=10, every_s=60.0, random_per_hour=0.0)


def scores(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def chooser(harvest: Harvest = ALL, smoothed: Sequence[float] | None = None, seed: int = 0) -> Chooser:
    past = None if smoothed is None else scores(*smoothed)
    return Chooser(harvest, JUDGE, lambda: past, random.Random(seed))


@pytest.mark.parametrize(
    ("values", "reasons"),
    [
        (CERTAIN, ()),
        ((0.02, 0.62, 0.18, 0.18), ("uncertain",)),  # just over its threshold
        ((0.02, 0.58, 0.20, 0.20), ("uncertain", "unknown")),  # just under it
        ((0.02, 0.48, 0.44, 0.06), ("uncertain", "unknown")),  # two near each other
        ((0.30, 0.25, 0.25, 0.20), ("uncertain",)),  # nothing, or a fox
        ((0.10, 0.36, 0.28, 0.26), ("uncertain", "unknown")),
        ((0.10, 0.40, 0.25, 0.25), ("unknown",)),
        ((0.47, 0.10, 0.10, 0.33), ()),  # background has no threshold to miss
        ((0.02, 0.03, 0.03, 0.02), ("unknown",)),  # near each other, and far from everything
    ],
)
def test_what_the_scores_of_one_frame_are_a_reason_for(values: tuple[float, ...], reasons: tuple[str, ...]) -> None:
    assert chooser().reasons(1.0, scores(*values)) == reasons


def test_a_label_that_smoothing_changed_is_a_reason() -> None:
    assert chooser(smoothed=(0.9, 0.1, 0.0, 0.0)).reasons(1.0, scores(*CERTAIN)) == ("smoothing",)
    assert chooser(smoothed=CERTAIN).reasons(1.0, scores(*CERTAIN)) == ()


def test_each_reason_holds_at_most_once_in_its_time() -> None:
    choosing = chooser()
    near, far = scores(0.02, 0.62, 0.18, 0.18), scores(0.1, 0.4, 0.25, 0.25)
    assert choosing.reasons(100.0, near) == ("uncertain",)
    assert choosing.reasons(101.0, near) == ()
    assert choosing.reasons(102.0, far) == ("unknown",), "another reason has its own time"
    assert choosing.reasons(159.9, near) == ()
    assert choosing.reasons(160.0, near) == ("uncertain",)


@pytest.mark.parametrize("off", ["uncertain", "unknown"])
def test_a_reason_that_is_not_wanted_is_none(off: str) -> None:
    choosing = chooser(Harvest(max_mb=10, random_per_hour=0.0, **{off: False}))  # type: ignore[arg-type]
    assert off not in choosing.reasons(1.0, scores(0.02, 0.58, 0.2, 0.2))


def test_random_frames_come_at_their_rate_and_in_no_rhythm() -> None:
    choosing = chooser(Harvest(max_mb=10, random_per_hour=60.0, every_s=1.0))
    taken = [second for second in range(100_000) if choosing.reasons(float(second), scores(*CERTAIN))]
    assert 1400 < len(taken) < 1950  # 60 an hour for 28 hours
    assert taken[0] > 0, "not the first frame after each start"
    assert np.std(np.diff(taken)) > 30


class OtherEngine:
    """An engine that answers for one class, or fails."""

    engine = "other"

    def __init__(self, best: int) -> None:
        self.best, self.count, self.fails = best, 0, False

    def load(self, tensor: Tensor) -> None: ...

    def invoke(self) -> NDArray[np.generic]:
        self.count += 1
        if self.fails:
            raise EngineError("no memory")
        raw = np.zeros((1, 1001), np.uint8)
        raw[0, self.best] = 200
        return raw

    def close(self) -> None: ...


class Field:
    """A harvester before an outbox."""

    def __init__(self, bundle: Bundle, harvest: Harvest, other: OtherEngine | None) -> None:
        self.outbox, self.thread = Outbox(), BackgroundThread("keep")
        labels = bundle.labels
        judge = Judge(labels, (0.5,) * len(labels), frozenset())
        sender = PictureSender(self.outbox.send, JpegEncoder(max_side=640, quality=80), Pictures(), None)
        opinion = None
        if other is not None:
            manifest = bundle.manifest
            opinion = SecondOpinion(other, Preprocessor(manifest.preprocessing, manifest.input), manifest)
        chooser = Chooser(harvest, judge, lambda: None, random.Random(0))
        self.harvester = Harvester(chooser, judge, sender, self.thread, lambda image_bgr, box: image_bgr, opinion)

    def sees(self, mono_s: float, best: int = 7, score: float = 0.8) -> None:
        values = np.zeros(1001, np.float32)
        values[best] = score
        decision = Decision(f"class {best}", score, (Candidate(f"class {best}", score),))
        self.harvester.look(prepared(frame(mono_s, grey=77, width=800)), Scores(values), decision)
        assert wait_until(lambda: self.thread.waiting == 0, 10)

    def reasons(self) -> list[tuple[str, ...]]:
        return [message.sample.reasons for message in self.outbox.all(Sampled)]


Grow = Callable[..., Field]


@pytest.fixture
def grow(sealed: Bundle) -> Iterator[Grow]:
    fields: list[Field] = []

    def make(harvest: Harvest = ALL, other: OtherEngine | None = None) -> Field:
        fields.append(Field(sealed, harvest, other))
        return fields[-1]

    yield make
    for field in fields:
        field.thread.close(5.0)


def test_a_sample_carries_its_decision_its_reasons_and_its_picture(grow: Grow) -> None:
    field = grow()
    field.sees(3.0, score=0.3)
    [(message, [data])] = field.outbox.sent
    assert isinstance(message, Sampled)
    sample = message.sample
    assert (sample.label, sample.score, sample.top) == ("class 7", 0.3, (Candidate("class 7", 0.3),))
    assert (sample.captured_mono_s, sample.reasons, sample.width, sample.height) == (3.0, ("unknown",), 640, 38)
    assert data.startswith(b"\xff\xd8")


def test_a_frame_on_which_the_engines_differ_is_kept(grow: Grow) -> None:
    other = OtherEngine(best=9)
    field = grow(other=other)
    field.sees(0.0)
    assert field.reasons() == [("engines",)]
    field.sees(30.0)
    assert other.count == 1, "one frame a minute is compared"
    other.best = 7
    field.sees(61.0)
    assert other.count == 2
    assert field.reasons() == [("engines",)]


def test_a_slow_engine_compares_fewer_frames(grow: Grow) -> None:
    field = grow(other=OtherEngine(best=7))
    opinion = field.harvester._opinion
    assert opinion is not None
    opinion.took_s = 3.0
    field.sees(0.0)
    opinion.took_s = 3.0
    field.sees(100.0)
    assert field.harvester._compare_due_s == 300.0


def test_an_engine_that_fails_is_not_used_again(grow: Grow, caplog: pytest.LogCaptureFixture) -> None:
    other = OtherEngine(best=9)
    other.fails = True
    field = grow(other=other)
    for minute in range(4):
        field.sees(61.0 * minute)
    assert other.count == 1
    assert field.reasons() == []
    assert "not compared between the engines any more: no memory" in caplog.text


def test_of_many_frames_a_second_some_are_judged(grow: Grow) -> None:
    field = grow()
    field.sees(1.0)
    field.sees(1.05, score=0.3)
    assert field.reasons() == []
    field.sees(1.1, score=0.3)
    assert field.reasons() == [("unknown",)]


def test_while_pictures_wait_no_frame_is_chosen(grow: Grow) -> None:
    field = grow()
    gate = threading.Event()
    for _ in range(3):
        field.thread.give(lambda: _wait(gate))
    values = Scores(np.zeros(1001, np.float32))
    field.harvester.look(prepared(frame(1.0)), values, Decision("unknown", 0.0, ()))
    gate.set()
    assert wait_until(lambda: field.thread.waiting == 0, 10)
    field.sees(2.0, score=0.3)
    assert [message.sample.captured_mono_s for message in field.outbox.all(Sampled)] == [2.0]


def _wait(gate: threading.Event) -> None:
    assert gate.wait(10)

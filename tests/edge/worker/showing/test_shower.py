"""The newest picture for people who look: made only while they do, and of the newest frame."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from scripted import ScriptedEngine, ScriptedSource, pipeline, say_nothing, wait_until

from edge.bundle.store import Bundle
from edge.live.picture import Live, read
from edge.live.places import FOCUS, PICTURE, requests_of
from edge.live.request import FRESH_S, Focus, Wanted, leave
from edge.records import Frame
from edge.results import Latency, Other, Result
from edge.worker.gate import Gate
from edge.worker.pipeline import Prepared
from edge.worker.showing import shower as module
from edge.worker.showing.making import MAX_SIDE, Maker
from edge.worker.showing.shower import Shower
from edge.worker.showing.tap import Tap
from edge.worker.threads import Pace, Stages

SEEN = Result(
    frame=0,
    label="owl",
    score=0.75,
    top=(),
    captured_wall_s=0.0,
    captured_mono_s=0.0,
    latency_ms=Latency(1.0, 2.0, 3.0, 4.0, 10.0),
    engine="cpu",
    bundle="b",
    dropped=0,
    box=(0.1, 0.1, 0.2, 0.2),
    others=(Other("fox", 0.5, (0.5, 0.5, 0.1, 0.1)),),
)


def frame(mono_s: float, value: int = 90, width: int = 64, height: int = 48) -> Frame:
    return Frame(np.full((height, width, 3), value, np.uint8), 0, mono_s, 1.7e9 + mono_s)


def opened(live: Live) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(live.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (live.height, live.width, 3)
    return picture


class TestTap:
    def test_a_decision_counts_with_its_own_frame(self) -> None:
        old, new = frame(10.0), frame(10.9)
        assert Tap(frame=new, decided=(old, SEEN)).newest() == (old, SEEN)
        assert Tap(decided=(old, SEEN)).newest() == (old, SEEN)

    def test_one_that_is_older_than_a_second_does_not(self) -> None:
        new = frame(11.1)
        assert Tap(frame=new, decided=(frame(10.0), SEEN)).newest() == (new, None)

    def test_without_any_it_is_the_newest_frame(self) -> None:
        new = frame(3.0)
        assert Tap(frame=new).newest() == (new, None)
        assert Tap().newest() is None


class Turned(Gate):
    """Lets nothing through."""

    def lets_through(self, prepared: Prepared) -> bool:
        return False


class TestThreads:
    @pytest.fixture
    def begin(self, sealed: Bundle) -> Iterator[Callable[..., Stages]]:
        running: list[Stages] = []

        def start(tap: Tap, gate: Gate | None = None) -> Stages:
            source = ScriptedSource(5, say_nothing)
            running.append(Stages(source, pipeline(sealed, ScriptedEngine()), Pace(None), None, gate, None, tap))
            return running[-1]

        yield start
        for stages in running:
            stages.close()

    def test_while_it_is_off_no_frame_is_held(self, begin: Callable[..., Stages]) -> None:
        tap = Tap()
        stages = begin(tap)
        for _ in range(5):
            stages.next(5.0)
        assert tap.newest() is None

    def test_while_it_is_on_the_newest_frame_and_decision_are_there(self, begin: Callable[..., Stages]) -> None:
        tap = Tap(on=True)
        stages = begin(tap)
        results = [stages.next(5.0) for _ in range(5)]
        assert tap.frame is not None
        assert tap.frame.sequence == 4
        assert tap.decided is not None
        assert (tap.decided[0].sequence, tap.decided[1]) == (4, results[-1])

    def test_what_a_gate_turns_away_is_seen_all_the_same(self, begin: Callable[..., Stages]) -> None:
        tap = Tap(on=True)
        stages = begin(tap, Turned())
        assert wait_until(lambda: stages.counts.turned_away == 5)
        assert tap.decided is None
        assert tap.frame is not None
        assert tap.frame.sequence == 4


class TestMaking:
    def test_a_decision_and_its_boxes_go_with_the_picture(self) -> None:
        live = Maker((0.0, 0.5, 1.0, 0.5)).whole(frame(5.0), SEEN)
        assert live is not None
        assert (live.label, live.score, live.box, live.others) == (SEEN.label, SEEN.score, SEEN.box, SEEN.others)
        assert (live.latency_ms, live.engine, live.region) == (10.0, "cpu", (0.0, 0.5, 1.0, 0.5))
        assert (live.frame_width, live.frame_height, live.width, live.height) == (64, 48, 64, 48)
        assert live.captured_wall_s == 1.7e9 + 5.0
        assert abs(int(opened(live).mean()) - 90) <= 1
        assert live.sharpness is None

    @pytest.mark.parametrize("size", [(1920, 1080), (1000, 4000), (961, 960), (5000, 1)])
    def test_a_large_frame_is_reduced_in_memory_that_is_used_again(self, size: tuple[int, int]) -> None:
        maker, large = Maker(None), frame(5.0, width=size[0], height=size[1])
        live = maker.whole(large, None)
        assert live is not None
        assert max(live.width, live.height) == MAX_SIDE
        assert live.width / live.height == pytest.approx(max(1, size[0]) / max(1, size[1]), rel=0.01) or size[1] == 1
        assert (live.frame_width, live.frame_height) == size
        assert opened(live).mean() == pytest.approx(90, abs=1)
        first = maker._reduced(large.image_bgr)
        assert maker._reduced(large.image_bgr) is first
        assert (large.image_bgr == 90).all()

    def test_a_part_keeps_the_cameras_own_pixels(self) -> None:
        whole = frame(5.0, width=1920, height=1080)
        whole.image_bgr[540:, 960:] = 200
        whole.image_bgr[800, 1500:1600] = 0
        box = (0.5, 0.5, 0.5, 0.5)
        live = Maker(None).part(whole, box)
        assert live is not None
        assert (live.width, live.height, live.part) == (960, 540, box)
        assert opened(live).mean() == pytest.approx(200, abs=1)
        assert live.sharpness is not None
        assert live.sharpness > 0
        assert live.label is None


class Watched:
    """A shower, and the hands of pages that look at it."""

    def __init__(self, folder: Path) -> None:
        self.run = folder / "run"
        self.run.mkdir()
        self.requests = requests_of(self.run)
        self.requests.mkdir()
        self.shower = Shower(self.run, None)
        self.tap = self.shower.tap
        self.now = 100.0

    def ask(self, wanted: Wanted) -> None:
        leave(self.requests, wanted)
        self.pulse()

    def pulse(self, seconds: float = 0.5, *, serving: bool = True) -> None:
        self.now += seconds
        self.shower.pulse(self.now, serving=serving)

    def has(self, name: str) -> bool:
        return (self.run / name).exists()

    def threads(self) -> int:
        return sum(thread.name == "show" for thread in threading.enumerate())


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(module, "_ROUND_S", 0.01)
    monkeypatch.setattr(module, "_PICTURE_S", 0.05)
    monkeypatch.setattr(module, "_FOCUS_S", 0.02)
    made = Watched(tmp_path)
    yield made
    made.pulse(FRESH_S + 1)
    assert wait_until(lambda: made.threads() == 0), "it ends when nobody looks"


ALL, PART = Wanted(picture=True), Wanted(focus=Focus(0.5, 0.5, 0.5))


class TestShowing:
    def test_nobody_who_looks_costs_a_stat(self, watched: Watched) -> None:
        for _ in range(5):
            watched.pulse()
        assert not watched.tap.on
        assert watched.threads() == 0
        assert list(watched.run.iterdir()) == []

    def test_a_request_brings_the_newest_picture_and_its_end_frees_all(self, watched: Watched) -> None:
        watched.ask(ALL)
        assert watched.tap.on
        watched.tap.frame = frame(1.0)
        assert wait_until(lambda: watched.has(PICTURE))
        assert not watched.has(FOCUS), "nobody wants that"
        watched.pulse(FRESH_S)
        assert not watched.tap.on
        assert watched.tap.newest() is None
        assert wait_until(lambda: watched.threads() == 0)

    def test_a_frame_that_came_as_it_went_off_is_let_go_soon(self, watched: Watched) -> None:
        watched.pulse()
        watched.tap.frame = frame(1.0)
        watched.pulse()
        assert watched.tap.frame is None

    def test_each_newer_frame_is_shown_and_the_same_one_is_not_made_twice(self, watched: Watched) -> None:
        watched.ask(ALL)
        watched.tap.frame = frame(1.0)
        assert wait_until(lambda: watched.has(PICTURE))
        first = read(watched.run / PICTURE)
        assert wait_until(lambda: read(watched.run / PICTURE).made_mono_s > first.made_mono_s), "it is still the newest"
        assert read(watched.run / PICTURE).number == first.number
        watched.tap.frame = frame(2.0, value=200)
        assert wait_until(lambda: read(watched.run / PICTURE).number > first.number)
        assert opened(read(watched.run / PICTURE)).mean() == pytest.approx(200, abs=1)

    def test_focus_shows_the_part_of_the_newest_frame_not_of_the_one_decided_on(self, watched: Watched) -> None:
        watched.ask(PART)
        watched.tap.decided = frame(1.0, value=20), SEEN
        watched.tap.frame = frame(1.1, value=220)
        assert wait_until(lambda: watched.has(FOCUS))
        live = read(watched.run / FOCUS)
        assert (live.part, live.width, live.height) == ((0.25, 0.25, 0.5, 0.5), 32, 24)
        assert opened(live).mean() == pytest.approx(220, abs=1)
        assert not watched.has(PICTURE)
        watched.ask(Wanted(focus=Focus(0.0, 0.0, 0.25)))
        assert wait_until(lambda: read(watched.run / FOCUS).part == (0.0, 0.0, 0.25, 0.25))

    def test_frames_that_come_while_one_is_encoded_are_skipped(
        self, watched: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[float] = []
        go_on = threading.Event()
        real = Maker.whole

        def slow(self: Maker, one: Frame, result: Result | None) -> Live | None:
            made.append(one.captured_mono_s)
            go_on.wait(30)
            return real(self, one, result)

        monkeypatch.setattr(Maker, "whole", slow)
        watched.ask(ALL)
        for number in range(50):
            watched.tap.frame = frame(float(number))
            if not number:
                assert wait_until(lambda: made)
        assert watched.threads() == 1
        go_on.set()
        assert wait_until(lambda: len(made) == 2)
        assert made == [0.0, 49.0]

    def test_while_the_camera_is_closed_its_last_frame_is_not_shown(self, watched: Watched) -> None:
        watched.ask(ALL)
        watched.tap.frame = frame(1.0)
        watched.pulse(serving=False)
        assert not watched.tap.on
        assert watched.tap.newest() is None
        watched.pulse()
        assert watched.tap.on

    def test_a_folder_that_cannot_be_written_is_logged_once_and_ends_nothing(
        self, watched: Watched, caplog: pytest.LogCaptureFixture
    ) -> None:
        watched.run.rename(watched.run.with_name("elsewhere"))
        watched.ask(ALL)
        watched.tap.frame = frame(1.0)
        assert wait_until(lambda: caplog.records)
        time.sleep(0.2)
        assert watched.threads() == 1
        assert [record.levelno for record in caplog.records if record.levelno >= logging.WARNING] == [logging.WARNING]
        watched.run.with_name("elsewhere").rename(watched.run)
        assert wait_until(lambda: watched.has(PICTURE))

    def test_what_opencv_or_the_memory_refuses_ends_nothing(
        self, watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(*_: object) -> None:
            raise MemoryError

        with monkeypatch.context() as patched:
            patched.setattr(Maker, "whole", refuse)
            watched.ask(ALL)
            watched.tap.frame = frame(1.0)
            assert wait_until(lambda: "no memory" in caplog.text)
        assert wait_until(lambda: watched.has(PICTURE))

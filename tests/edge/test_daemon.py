"""The device program's loop, with sources and engines that misbehave on purpose."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.clock import stamp
from edge.daemon import run
from edge.decision import Decider
from edge.errors import CameraError, EndOfStream, EngineError
from edge.health import SystemdNotifier
from edge.pipeline import Pipeline
from edge.preprocess import Preprocessor
from edge.records import Frame, Result


class Scripted:
    """A source that hands over `count` frames and then does what it is told."""

    description = "scripted"

    def __init__(self, count: int, then: Callable[[], None], *, lossless: bool = True) -> None:
        self.lossless = lossless
        self._left, self._count, self._then = count, count, then
        self.closed = threading.Event()

    def read(self) -> Frame:
        if not self._left:
            self._then()
            self.closed.wait(30)
            raise EndOfStream("closed")
        self._left -= 1
        return Frame(np.zeros((32, 32, 3), np.uint8), self._count - self._left - 1, *stamp())

    def close(self) -> None:
        self.closed.set()


def end() -> None:
    raise EndOfStream("the end")


def hang() -> None:
    return None


class Engine:
    """Answers with the first class, after `delay_s`."""

    engine = "scripted"

    def __init__(self, delay_s: float = 0.0, fails_at: int | None = None) -> None:
        self._delay_s, self._fails_at, self.count = delay_s, fails_at, 0

    def load(self, fill: Callable[[NDArray[np.uint8]], None]) -> None:
        fill(np.zeros((1, 128, 128, 3), np.uint8))

    def invoke(self) -> NDArray[np.generic]:
        if self.count == self._fails_at:
            raise EngineError("the accelerator is gone")
        self.count += 1
        time.sleep(self._delay_s)
        raw = np.zeros((1, 1001), np.uint8)
        raw[0, 7] = 200
        return raw

    def close(self) -> None: ...


class Memory:
    def __init__(self) -> None:
        self.results: list[Result] = []

    def write(self, result: Result) -> None:
        self.results.append(result)

    def close(self) -> None: ...


@pytest.fixture
def pipeline_with(sealed: object) -> Callable[[Engine], Pipeline]:
    def make(engine: Engine) -> Pipeline:
        manifest = sealed.manifest  # type: ignore[attr-defined]
        decider = Decider(sealed.labels, threshold=0.0, smoothing=0.0, top=1)  # type: ignore[attr-defined]
        prep = Preprocessor(manifest.preprocessing, manifest.input)
        return Pipeline(sealed, prep, engine, decider)  # type: ignore[arg-type]

    return make


def go(source: Scripted, pipeline: Pipeline, **options: object) -> Memory:
    memory = Memory()
    settings = {"timeout_s": 5.0, **options}
    run(source, pipeline, [memory], SystemdNotifier({}), threading.Event(), **settings)  # type: ignore[arg-type]
    return memory


def test_every_frame_of_a_lossless_source_is_classified(pipeline_with: Callable[[Engine], Pipeline]) -> None:
    memory = go(Scripted(50, end), pipeline_with(Engine()))
    assert [result.frame for result in memory.results] == list(range(50))
    assert memory.results[-1].dropped == 0


def test_a_slow_engine_gets_the_newest_frame_and_drops_are_counted(
    pipeline_with: Callable[[Engine], Pipeline],
) -> None:
    class Camera(Scripted):
        def read(self) -> Frame:
            time.sleep(0.002)
            return super().read()

    memory = go(Camera(200, end, lossless=False), pipeline_with(Engine(delay_s=0.03)))
    last = memory.results[-1]
    assert last.frame == 199
    assert len(memory.results) + last.dropped == 200
    assert last.dropped > 100


def test_a_silent_camera_is_an_error_after_the_timeout(pipeline_with: Callable[[Engine], Pipeline]) -> None:
    with pytest.raises(CameraError, match="no frame for 1 s"):
        go(Scripted(3, hang), pipeline_with(Engine()), timeout_s=1.0)


def test_a_failing_camera_is_reported_after_its_last_frame(pipeline_with: Callable[[Engine], Pipeline]) -> None:
    def unplug() -> None:
        raise CameraError("unplugged")

    engine = Engine()
    with pytest.raises(CameraError, match="unplugged"):
        go(Scripted(3, unplug), pipeline_with(engine))
    assert engine.count == 3


def test_a_failing_engine_ends_the_run_and_frees_the_source(pipeline_with: Callable[[Engine], Pipeline]) -> None:
    source = Scripted(10**6, hang)
    with pytest.raises(EngineError, match="accelerator is gone"):
        go(source, pipeline_with(Engine(fails_at=2)))
    assert source.closed.is_set()
    assert not any(thread.name == "capture" for thread in threading.enumerate())


def test_it_ends_after_so_many_frames(pipeline_with: Callable[[Engine], Pipeline]) -> None:
    assert len(go(Scripted(10**6, hang), pipeline_with(Engine()), max_frames=7).results) == 7


def test_a_stop_is_noticed_while_no_frame_comes(pipeline_with: Callable[[Engine], Pipeline]) -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    summary = run(Scripted(2, hang), pipeline_with(Engine()), [], SystemdNotifier({}), stop, timeout_s=600)
    assert summary.frames == 2
    assert "2 frames classified" in summary.line()


def test_a_run_without_frames_says_so(pipeline_with: Callable[[Engine], Pipeline]) -> None:
    summary = run(Scripted(0, end), pipeline_with(Engine()), [], SystemdNotifier({}), threading.Event(), timeout_s=5)
    assert summary.line() == "no frame was classified"

"""Scripted sources and engines, for tests of the code that runs them."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.bundle.store import Bundle
from edge.clock import stamp
from edge.decision import Decider
from edge.errors import EndOfStream, EngineError
from edge.preprocess import Preprocessor, Tensor
from edge.records import Frame
from edge.worker.cutting import Cutter
from edge.worker.pipeline import Pipeline

WHITE = 255


class ScriptedSource:
    """A source that delivers `count` frames, one every `period_s`, and then calls `then`.

    All pixels of frame n have the grey value n, except a white square, so that no two frames are equal; with
    repeats=True all are. By default `stalls` is the opposite of `lossless`, as with a camera.
    """

    description = "scripted"

    def __init__(
        self,
        count: int,
        then: Callable[[], None],
        *,
        lossless: bool = True,
        has_noise: bool = False,
        period_s: float = 0.0,
        repeats: bool = False,
        stalls: bool | None = None,
    ) -> None:
        self.lossless, self.has_noise = lossless, has_noise
        self.stalls = not lossless if stalls is None else stalls
        self.closed = threading.Event()
        self._count, self._then, self._period_s, self._repeats = count, then, period_s, repeats
        self._next = 0

    def read(self) -> Frame:
        self.closed.wait(self._period_s)
        if self._next == self._count:
            self._then()
            self.closed.wait(30)
            raise EndOfStream("closed")
        image = np.full((128, 128, 3), 0 if self._repeats else self._next % WHITE, np.uint8)
        image[64:80, 64:80] = WHITE
        self._next += 1
        return Frame(image, self._next - 1, *stamp())

    def close(self) -> None:
        self.closed.set()


def end() -> None:
    raise EndOfStream("the end")


def say_nothing() -> None:
    """Block `read` until the source is closed."""


class ScriptedEngine:
    """An engine that answers class 7 with a score of `answer`/256, at first 200, after `delay_s`; its call number
    `fails_at` fails."""

    engine = "scripted"

    def __init__(self, delay_s: float = 0.0, fails_at: int | None = None) -> None:
        self.count, self.answer = 0, 200
        self.seen: list[int] = []
        self._delay_s, self._fails_at = delay_s, fails_at

    def load(self, tensor: Tensor) -> None:
        self.seen.append(int(tensor[0, 0, 0, 0]))

    def invoke(self) -> NDArray[np.generic]:
        if self.count == self._fails_at:
            raise EngineError("the accelerator is gone")
        self.count += 1
        time.sleep(self._delay_s)
        raw = np.zeros((1, 1001), np.uint8)
        raw[0, 7] = self.answer
        return raw

    def close(self) -> None: ...


def pipeline(
    bundle: Bundle,
    engine: ScriptedEngine,
    *,
    cutter: Cutter | None = None,
    background: frozenset[str] = frozenset(),
    fallback: str | None = None,
) -> Pipeline:
    """Return the pipeline of `bundle` with another engine."""
    return Pipeline(
        bundle,
        Preprocessor(bundle.manifest.preprocessing, bundle.manifest.input),
        engine,  # type: ignore[arg-type]
        Decider(bundle.labels, thresholds=(0.0,) * len(bundle.labels), smoothing=0.0, top=1),
        cutter=cutter,
        background=background,
        fallback=fallback,
    )


def exists(pid: int) -> bool:
    """Return True if there is such a process; a zombie counts."""
    return Path(f"/proc/{pid}").exists()


def is_gone(pid: int, seconds: float = 30.0) -> bool:
    """Return True if the process ends in time. A zombie counts as ended, since its parent is not under test."""

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        except OSError:
            return True

    return wait_until(gone, seconds)


def wait_until(true: Callable[[], object], seconds: float = 60.0, *, pause_s: float = 0.02) -> bool:
    """Wait until `true` returns True; return False if it has not after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_s)
    return True

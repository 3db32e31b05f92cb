"""Measure how fast a bundle runs on this board, stage by stage, with the device's own pipeline.

Two halves of equal length. In the first, each frame passes all stages before the next is read: this gives the time
of each stage, and from capture to decision. In the second, the stages run at the same time, as in the service's
worker: this gives the frames a second.
"""

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from edge import __version__
from edge.board import Board, Power
from edge.capture.base import FrameSource
from edge.errors import CameraError, EndOfStream
from edge.worker.pipeline import Pipeline
from edge.worker.threads import Pace, Stages

STAGES = ("capture", "preprocess", "inference", "postprocess", "end to end")
_WARM_UP = 5
_POLL_S = 0.25


class Spread(msgspec.Struct, frozen=True):
    """The spread of a stage's times, in milliseconds."""

    median: float
    p95: float
    p99: float
    max: float


class BoardState(msgspec.Struct, frozen=True):
    """The board before or after a benchmark; None for what it does not offer."""

    temperature_c: float | None
    power_flags: tuple[str, ...] | None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The results of a benchmark.

    fallback: why the engine is not the configured one; None if it is.
    seconds: the requested duration.
    frames: in both halves.
    fps: frames a second in the second half.
    memory_mb: of this process, with its share of shared pages (PSS).
    """

    bundle: str
    model: str
    source: str
    engine: str
    fallback: str | None
    seconds: float
    frames: int
    fps: float
    stages_ms: dict[str, Spread]
    memory_mb: float | None
    before: BoardState
    after: BoardState
    board: str
    system: str
    versions: dict[str, str]


@dataclass(slots=True)
class _Stopwatch:
    """A time limit for one half. `progress` receives the seconds done, of both halves."""

    seconds: float
    done_s: float
    progress: Callable[[float], None]
    started_s: float = 0.0

    def start(self) -> "_Stopwatch":
        self.started_s = time.monotonic()
        return self

    def running(self) -> bool:
        elapsed_s = time.monotonic() - self.started_s
        self.progress(self.done_s + min(elapsed_s, self.seconds))
        return elapsed_s < self.seconds


def measure(
    pipeline: Pipeline,
    source: FrameSource,
    *,
    seconds: float,
    board: Board,
    progress: Callable[[float], None] = lambda _: None,
) -> Measured:
    """Run both halves, or until the source ends. Closes the source.

    progress: called with the seconds done.
    Raises CameraError if the source gives fewer than two frames, and whatever the stages raise.
    """
    before = _state(board)
    try:
        rows, engine, fallback = _one_by_one(pipeline, source, _Stopwatch(seconds / 2, 0, progress))
        count, fps = _side_by_side(pipeline, source, _Stopwatch(seconds / 2, seconds / 2, progress))
    finally:
        source.close()
    if len(rows) < 2:
        raise CameraError(f"{source.description}: fewer than two frames: nothing can be measured; loop a replay")
    return Measured(
        bundle=pipeline.bundle.bundle_id,
        model=pipeline.bundle.manifest.name,
        source=source.description,
        engine=engine,
        fallback=fallback,
        seconds=seconds,
        frames=len(rows) + count,
        fps=round(fps or _rate(rows), 2),
        stages_ms={name: spread([row[place] for row in rows]) for place, name in enumerate(STAGES)},
        memory_mb=None if (pss := board.pss_bytes(os.getpid())) is None else round(pss / 1e6, 1),
        before=before,
        after=_state(board),
        board=f"{board.model() or board.processor() or 'unnamed board'}, {board.cpus()} cores",
        system=f"{_release()}, {platform.machine()}, Linux {platform.release()}",
        versions=_versions(),
    )


Row = tuple[float, float, float, float, float]


def _one_by_one(pipeline: Pipeline, source: FrameSource, watch: _Stopwatch) -> tuple[list[Row], str, str | None]:
    """Return the milliseconds of each stage, frame by frame, and engine and fallback as in the results."""
    rows: list[Row] = []
    engine, fallback = pipeline.classifier.engine, pipeline.fallback
    try:
        for _ in range(_WARM_UP):
            pipeline.process(source.read())
        watch.start()
        while watch.running():
            started = time.monotonic()
            frame = source.read()
            captured = time.monotonic()
            latency = pipeline.process(frame).latency_ms
            capture_ms = (captured - started) * 1e3
            rows.append((capture_ms, latency.preprocess, latency.inference, latency.postprocess, latency.total))
    except EndOfStream:
        return rows, engine, fallback
    return rows, engine, fallback


def _side_by_side(pipeline: Pipeline, source: FrameSource, watch: _Stopwatch) -> tuple[int, float]:
    """Run frames through the worker's three threads; return how many, and how many a second (0 with fewer than two).
    Closes the source."""
    stages = Stages(source, pipeline, Pace(None))
    times: list[float] = []
    watch.start()
    try:
        while watch.running():
            if stages.next(_POLL_S) is not None:
                times.append(time.monotonic())
    except EndOfStream:
        return len(times), _per_second(times)
    finally:
        stages.close()
    return len(times), _per_second(times)


def _per_second(times_s: Sequence[float]) -> float:
    return (len(times_s) - 1) / (times_s[-1] - times_s[0]) if len(times_s) > 1 else 0.0


def spread(values_ms: Sequence[float]) -> Spread:
    """Return median, p95, p99 and maximum."""
    p50, p95, p99 = np.percentile(np.array(values_ms), [50, 95, 99])
    return Spread(*(round(float(value), 3) for value in (p50, p95, p99, max(values_ms))))


def _rate(rows: Sequence[Row]) -> float:
    """Return frames a second by the times of the first half, for a replay too short for the second."""
    spent_ms = sum(sum(row[:4]) for row in rows)
    return len(rows) / (spent_ms / 1e3) if spent_ms else 0.0


def _state(board: Board) -> BoardState:
    power: Power | None = board.power()
    return BoardState(board.temperature_c(), None if power is None else tuple(power.now))


def _versions() -> dict[str, str]:
    import cv2

    return {
        "fieldfare": __version__,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "OpenCV": cv2.__version__,
    }


def _release() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def markdown(measured: Measured) -> str:
    """Return two tables to paste into an issue."""
    rows = [
        f"| {name} | {s.median:.2f} | {s.p95:.2f} | {s.p99:.2f} | {s.max:.2f} |"
        for name, s in measured.stages_ms.items()
    ]
    about = {
        "speed": f"{measured.fps:.1f} frames/s",
        "board": measured.board,
        "system": measured.system,
        "engine": measured.engine,
        "fallback": measured.fallback,
        "bundle": f"{measured.model}, id {measured.bundle}",
        "source": measured.source,
        "measured": f"{measured.frames:,} frames in {measured.seconds:g} s",
        "memory": "not offered" if measured.memory_mb is None else f"{measured.memory_mb:.0f} MB (PSS)",
        "temperature": f"{_degrees(measured.before)} before, {_degrees(measured.after)} after",
        "power": f"{_flags(measured.before)} before, {_flags(measured.after)} after",
        "versions": ", ".join(f"{name} {version}" for name, version in measured.versions.items()),
    }
    return "\n".join(
        [
            "| stage, ms | median | p95 | p99 | max |",
            "| --- | ---: | ---: | ---: | ---: |",
            *rows,
            "",
            "| what | |",
            "| --- | --- |",
            *(f"| {name} | {_cell(text)} |" for name, text in about.items() if text is not None),
        ]
    )


def _degrees(state: BoardState) -> str:
    return "not offered" if state.temperature_c is None else f"{state.temperature_c:.1f} C"


def _flags(state: BoardState) -> str:
    if state.power_flags is None:
        return "not offered"
    return ", ".join(state.power_flags) or "all is well"


def _cell(text: str) -> str:
    """Return the text as a table's cell: bars escaped, no line breaks."""
    return " ".join(text.replace("|", "\\|").split())

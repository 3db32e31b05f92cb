"""How fast a bundle runs on this board, stage by stage, through the device's own path.

Two halves of equal length. In the first one frame after another goes the whole way alone: that gives each
stage's time and the time from capture to decision. In the second the stages run side by side, as in the
service's worker: that gives the frames a second.
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
    """Milliseconds."""

    median: float
    p95: float
    p99: float
    max: float


class BoardState(msgspec.Struct, frozen=True):
    """temperature_c and power_flags: None where the board does not offer them."""

    temperature_c: float | None
    power_flags: tuple[str, ...] | None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a benchmark says. frames: in both halves. fps: of the second half. memory_mb: of this process,
    shared pages by their share (PSS). seconds: what was asked for."""

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
    """Seconds until which to go on, and who is told how far we are."""

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
    """Run both halves; a source that ends earlier ends them. Closes the source. progress: told the seconds
    done. Raises CameraError where the source gives fewer than two frames, and what the stages raise."""
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
    """Milliseconds of each stage, frame by frame; engine and fallback as the results name them."""
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
    """Frames through the worker's three threads, and how many a second; 0 with fewer than two. Closes the
    source."""
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
    """Median, p95, p99 and the largest."""
    p50, p95, p99 = np.percentile(np.array(values_ms), [50, 95, 99])
    return Spread(*(round(float(value), 3) for value in (p50, p95, p99, max(values_ms))))


def _rate(rows: Sequence[Row]) -> float:
    """Of a replay that was too short for the second half: from the first half's own times."""
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
    """Two tables to paste into an issue."""
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
    """A table's cell: no bar, no line break."""
    return " ".join(text.replace("|", "\\|").split())

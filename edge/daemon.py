"""The device program: a capture thread reads, resizes and fills the newest-frame slot; this thread classifies
and records."""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.capture.base import FrameSlot, FrameSource
from edge.errors import CameraError, EndOfStream
from edge.health import SystemdNotifier
from edge.pipeline import FittedFrame, Pipeline
from edge.records import Result
from edge.sinks.base import Sink

_log = logging.getLogger(__name__)

_POLL_S = 0.25  # how soon a stop is noticed while no frame comes
_LATENCIES_KEPT = 100_000
_JOIN_S = 2.0


@dataclass(slots=True)
class Summary:
    """What a run did, for the line at its end."""

    frames: int = 0
    dropped: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES_KEPT))

    def add(self, result: Result) -> None:
        """Count one result."""
        self.last_s = time.monotonic()
        if not self.frames:
            self.first_s = self.last_s
        self.frames += 1
        self.dropped = result.dropped
        self.latencies_ms.append(result.latency_ms.total)

    @property
    def fps(self) -> float:
        """Decisions a second between the first and the last; 0 with fewer than two."""
        elapsed = self.last_s - self.first_s
        return (self.frames - 1) / elapsed if elapsed > 0 else 0.0

    def line(self) -> str:
        """One line for people."""
        if not self.frames:
            return "no frame was classified"
        p50, p95, p99 = np.percentile(np.array(self.latencies_ms), [50, 95, 99])
        return (
            f"{self.frames} frames classified, {self.fps:.1f} frames/s, latency capture to decision "
            f"median {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, {self.dropped} dropped"
        )


def run(
    source: FrameSource,
    pipeline: Pipeline,
    sinks: Sequence[Sink],
    notifier: SystemdNotifier,
    stop: threading.Event,
    *,
    timeout_s: float,
    max_frames: int | None = None,
) -> Summary:
    """Classify until the source ends, `stop` is set or `max_frames` are done.

    Raises CameraError where the source fails or gives no frame for `timeout_s`, EngineError where inference
    does. The source is closed on return; sinks and classifier are the caller's.
    """
    slot: FrameSlot[FittedFrame] = FrameSlot(lossless=source.lossless)
    capture = threading.Thread(target=_capture, args=(source, pipeline, slot), name="capture", daemon=True)
    summary = Summary()
    capture.start()
    try:
        _classify(slot, pipeline, sinks, notifier, stop, summary, timeout_s, max_frames)
    finally:
        notifier.stopping()
        slot.close()
        source.close()
        capture.join(_JOIN_S)
        if capture.is_alive():
            _log.warning("the source did not end within %g s; leaving it behind", _JOIN_S)
    return summary


def _capture(source: FrameSource, pipeline: Pipeline, slot: FrameSlot[FittedFrame]) -> None:
    """Body of the capture thread: whatever ends it is handed to the other side. It resizes too, while the
    other side infers, so that the newest frame is ready to classify."""
    try:
        while slot.put(pipeline.fit(source.read())):
            pass
    except BaseException as error:  # noqa: BLE001 - the main thread raises it again
        slot.fail(error)


def _classify(
    slot: FrameSlot[FittedFrame],
    pipeline: Pipeline,
    sinks: Sequence[Sink],
    notifier: SystemdNotifier,
    stop: threading.Event,
    summary: Summary,
    timeout_s: float,
    max_frames: int | None,
) -> None:
    newest_s = time.monotonic()
    while not stop.is_set() and (max_frames is None or summary.frames < max_frames):
        try:
            fitted = slot.get(_POLL_S)
        except EndOfStream as end:
            _log.info("%s", end)
            return
        if fitted is None:
            if time.monotonic() - newest_s > timeout_s:
                raise CameraError(f"no frame for {timeout_s:g} s: the camera stalled or came loose")
            continue
        newest_s = time.monotonic()
        result = pipeline.classify(fitted, dropped=slot.dropped)
        summary.add(result)
        for sink in sinks:
            sink.write(result)
        notifier.decision(f"{result.label} {result.score:.2f}, {summary.frames} frames")

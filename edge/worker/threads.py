"""The worker's three threads: capture and prepare, infer, and the caller's own that decides.

While one frame is inferred, the next is read and prepared and the last one decided on, so that the accelerator
never waits for Python. Between capture and inference the newest frame wins; nothing queues up.

Where frames wait for the engine, the threads beside it are only let go once the next inference is about to start:
what they do in Python, holding the interpreter lock, then falls into it and not between two inferences.
"""

import logging
import threading
import time
from collections.abc import Callable

from edge.capture.base import FrameSource
from edge.capture.slot import FrameSlot
from edge.errors import CameraError
from edge.results import Result
from edge.worker.freshness import FreshnessGuard
from edge.worker.pipeline import Inferred, Pipeline, Prepared

_log = logging.getLogger(__name__)

_JOIN_S = 2.0
_HELD_UP_S = 1.0


class Pace:
    """Which frames of a live source are classified: at most `fps` a second, None for all. Thread-safe."""

    def __init__(self, fps: float | None) -> None:
        self._period_s = 0.0
        self._due_s = -float("inf")
        self.set(fps)

    def set(self, fps: float | None) -> None:
        """Change the rate."""
        self._period_s = 1.0 / fps if fps else 0.0

    def admits(self, now_s: float) -> bool:
        """Shall the frame that came at `now_s` (monotonic) be classified?"""
        period_s = self._period_s
        self._due_s = min(self._due_s, now_s + 1.1 * period_s)  # where `set` made it faster
        # A camera's frames jitter: a frame that is early by a tenth of the period is taken, or every other is lost.
        if now_s < self._due_s - 0.1 * period_s:
            return False
        self._due_s = max(self._due_s, now_s - period_s) + period_s
        return True


class Stages:
    """Runs `source` through `pipeline`. `next` hands over results in order; `close` ends it all.

    freshness: judges the frames of sources that have noise. pace: the rate at which live frames are taken. All
    public methods are for one thread.
    """

    def __init__(
        self, source: FrameSource, pipeline: Pipeline, pace: Pace, freshness: FreshnessGuard | None = None
    ) -> None:
        self.captured = 0
        self.last_frame_s = self._asked_s = time.monotonic()
        self.inferring_since_s: float | None = None
        self._source, self._pipeline, self._pace = source, pipeline, pace
        self._freshness = freshness if source.has_noise else None
        self._prepared: FrameSlot[Prepared] = FrameSlot(lossless=source.lossless, on_drop=pipeline.drop)
        self._inferred: FrameSlot[Inferred] = FrameSlot(lossless=True)
        self._threads = [
            threading.Thread(target=self._guarded, args=(body, slot), name=name, daemon=True)
            for name, body, slot in (
                ("capture", self._capture, self._prepared),
                ("infer", self._infer, self._inferred),
            )
        ]
        for thread in self._threads:
            thread.start()

    @property
    def dropped(self) -> int:
        """Frames that newer ones replaced before they could be classified."""
        return self._prepared.dropped

    def next(self, timeout_s: float) -> Result | None:
        """The next result, None where there is none within `timeout_s`. Raises EndOfStream after the last,
        CameraError where the source fails, EngineError where the engine does. To be called all the time: a pause
        in between is one of the whole process, and not the camera's fault."""
        inferred, now = self._inferred.get(timeout_s), time.monotonic()
        self._prepared.wake()
        if now - self._asked_s > timeout_s + _HELD_UP_S:
            self.last_frame_s = now
        self._asked_s = now
        return None if inferred is None else self._pipeline.decide(inferred, dropped=self.dropped)

    def check(self, patience_s: float) -> None:
        """Raises CameraError where no frame came for `patience_s` seconds from a source that stalls."""
        if time.monotonic() - self.last_frame_s > patience_s and self._source.stalls:
            raise CameraError(f"no frame for {patience_s:g} s: the camera stalled or came loose")

    def close(self) -> bool:
        """End the threads and close the source; False where a thread hangs in it and stays behind."""
        self._prepared.close()
        self._inferred.close()
        self._source.close()
        ends_s = time.monotonic() + _JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, ends_s - time.monotonic()))
        hung = [thread.name for thread in self._threads if thread.is_alive()]
        if hung:
            _log.warning("%s did not end within %g s; left behind", " and ".join(hung), _JOIN_S)
        return not hung

    def _guarded(self, body: Callable[[], None], slot: FrameSlot[Prepared] | FrameSlot[Inferred]) -> None:
        """A thread's body: whatever ends it is handed on, and raised again where results are taken."""
        try:
            body()
        except BaseException as error:  # noqa: BLE001 - the caller's thread raises it again
            slot.fail(error)

    def _capture(self) -> None:
        while True:
            frame = self._source.read()
            self.last_frame_s = time.monotonic()
            self.captured += 1
            if not self._source.lossless and not self._pace.admits(self.last_frame_s):
                continue
            prepared = self._pipeline.prepare(frame)
            if self._is_repeated(prepared):
                self._pipeline.drop(prepared)
                continue
            if not self._prepared.put(prepared):
                return

    def _is_repeated(self, prepared: Prepared) -> bool:
        guard = self._freshness
        return guard is not None and not guard.is_fresh(prepared.picture_bgr, prepared.seen_bgr, self.last_frame_s)

    def _infer(self) -> None:
        ready: Inferred | None = None  # not handed over yet
        while True:
            # A reader of results that is slow holds up the inference, and that shall then begin with a new frame.
            prepared = self._prepared.take() if self._inferred.free else None
            if prepared is None:
                if ready is not None and not self._inferred.put(ready):
                    return
                ready = None
                prepared = self._wait_for_frame()
                if prepared is None:
                    return
            try:
                self._pipeline.load(prepared)
            finally:
                # Waking a thread takes time, so only one is woken here: who takes the result wakes the capture thread.
                if ready is None:
                    self._prepared.wake()
                else:
                    self._inferred.put(ready)
            self.inferring_since_s = time.monotonic()
            ready = self._pipeline.invoke(prepared)
            self.inferring_since_s = None

    def _wait_for_frame(self) -> Prepared | None:
        """None once closed."""
        while not self._prepared.closed:
            if (prepared := self._prepared.get(3600.0)) is not None:
                return prepared
        return None

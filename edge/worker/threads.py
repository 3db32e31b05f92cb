"""Run the worker's three threads: capture and prepare, infer, and the caller's own that decides.

While one frame is inferred, the next is read and prepared and the last one decided on, so that the accelerator
never waits for Python. Between capture and inference the newest frame wins; no queue grows.
"""

import logging
import threading
import time
from collections.abc import Callable

from edge.capture.base import FrameSource
from edge.capture.slot import FrameSlot
from edge.errors import CameraError
from edge.results import FrameCounts, Result
from edge.worker.freshness import FreshnessGuard
from edge.worker.gate import Gate
from edge.worker.pipeline import Inferred, Observer, Pipeline, Prepared
from edge.worker.showing.tap import Tap

_log = logging.getLogger(__name__)

# A thread that has not ended by then hangs in its driver. The supervisor allows 15 s for closing the camera.
_JOIN_S = 2.0
# A call of `next` that comes this much late shows that the whole process stood still, frozen or swapping.
_HELD_UP_S = 1.0
# How long a paced replay may wait for the engine, and the share of the time by which that is restored.
_HICCUP_S, _HICCUP_SHARE = 0.5, 0.05


class _Patience:
    """The time that a file may wait for an engine that was held up for a moment, so that no frame is lost to that.

    An engine that is always too slow finds no more than a twentieth of the time: the replay keeps its pace, and frames
    are dropped.
    """

    def __init__(self) -> None:
        self._left_s, self._seen_s = _HICCUP_S, time.monotonic()

    def left_s(self) -> float:
        """Return how long the next wait may be."""
        now = time.monotonic()
        self._left_s = min(_HICCUP_S, self._left_s + _HICCUP_SHARE * (now - self._seen_s))
        self._seen_s = now
        return max(0.0, self._left_s)

    def spend(self) -> None:
        """Note that the time since `left_s` was spent waiting."""
        now = time.monotonic()
        self._left_s -= now - self._seen_s
        self._seen_s = now


class Pace:
    """The rate at which frames of a live source are taken: at most `fps` a second, None for all. Thread-safe."""

    def __init__(self, fps: float | None) -> None:
        self._period_s = 0.0
        self._due_s = -float("inf")
        self.set(fps)

    def set(self, fps: float | None) -> None:
        """Change the rate."""
        self._period_s = 1.0 / fps if fps else 0.0

    def admits(self, now_s: float) -> bool:
        """Return True if the frame captured at `now_s` (monotonic) must be taken."""
        period_s = self._period_s
        # After `set` raised the rate, the next frame must not wait for the old period.
        self._due_s = min(self._due_s, now_s + 1.1 * period_s)
        # A camera's frames jitter: a frame that is early by a tenth of the period is taken, or every other is lost.
        if now_s < self._due_s - 0.1 * period_s:
            return False
        # At most one period in arrears: a pause must not be followed by a burst.
        self._due_s = max(self._due_s, now_s - period_s) + period_s
        return True


class Stages:
    """Runs `source` through `pipeline`. `next` returns results in order; `close` ends it all.

    pace: the rate at which live frames are taken.
    freshness: finds repeated frames; used if the source has noise.
    gate: decides which fresh frames are inferred; None for all.
    observer: looks at each frame that was decided on, on the caller's thread.
    tap: gets the newest frame and decision while it is on; None if nobody can look.

    All counts begin at 0 when this is created, that is, when the camera is opened. All public methods are for one
    thread.
    """

    def __init__(
        self,
        source: FrameSource,
        pipeline: Pipeline,
        pace: Pace,
        freshness: FreshnessGuard | None = None,
        gate: Gate | None = None,
        observer: Observer | None = None,
        tap: Tap | None = None,
    ) -> None:
        # Each count is written by one thread, so none needs a lock: these two by the capture thread, ...
        self.captured = self._turned_away = 0
        self._empty = 0  # ... this by the one that infers ...
        self._decided = 0  # ... and this by the caller's.
        self.last_frame_s = self._called_s = time.monotonic()
        self.inferring_since_s: float | None = None
        self.judging_since_s: float | None = None
        self._source, self._pipeline, self._pace, self._gate = source, pipeline, pace, gate
        self._observer, self._tap = observer, tap or Tap()
        self._freshness = freshness if source.has_noise else None
        # A file can wait, and a camera cannot.
        self._patience = None if source.lossless or source.stalls else _Patience()
        # The guard outlives a camera that is opened again, and its count with it.
        self._repeated_before = freshness.repeated if freshness else 0
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
        """Frames that newer ones replaced before inference."""
        return self._prepared.dropped

    @property
    def counts(self) -> FrameCounts:
        """What became of the frames since the camera was opened."""
        repeated = self._freshness.repeated - self._repeated_before if self._freshness else 0
        return FrameCounts(self.captured, self.dropped, repeated, self._turned_away + self._empty, self._decided)

    def next(self, timeout_s: float) -> Result | None:
        """Return the next result, None if there is none within `timeout_s`. Raises EndOfStream after the last,
        CameraError when the source fails, EngineError when the engine does. Call it again and again without a pause:
        a pause counts as one of the whole process, and not as the camera's fault."""
        inferred, now = self._inferred.get(timeout_s), time.monotonic()
        self._prepared.wake()
        if now - self._called_s > timeout_s + _HELD_UP_S:
            self.last_frame_s = now
        self._called_s = now
        if inferred is None:
            return None
        result = self._pipeline.decide(inferred, dropped=self.dropped, observer=self._observer)
        self._decided += 1
        if self._tap.on:
            self._tap.decided = inferred.prepared.frame, result
        return result

    def check(self, patience_s: float) -> None:
        """Raise CameraError if no frame came for `patience_s` seconds from a source that can stall."""
        # While the gate judges a frame, none is read: that is the gate's time, which the pulse reports. Read before
        # last_frame_s, which the capture thread sets first when the gate is done.
        if self.judging_since_s is not None:
            return
        if time.monotonic() - self.last_frame_s > patience_s and self._source.stalls:
            raise CameraError(f"no frame for {patience_s:g} s: the camera stalled or came loose")

    def close(self) -> bool:
        """End the threads and close the source; False if a thread hangs in it and stays behind."""
        # The slots first: a thread that waits there would not see the source close.
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
        """Run a thread's body; `next` raises whatever ends it."""
        try:
            body()
        except BaseException as error:  # noqa: BLE001 - the caller's thread raises it again
            slot.fail(error)

    def _capture(self) -> None:
        # Not only the result of `put`: while frames are left out, it is not called.
        while not self._prepared.closed:
            frame = self._source.read()
            self.last_frame_s = time.monotonic()
            self.captured += 1
            if self._tap.on:
                self._tap.frame = frame
            # Before the resize, which costs most of a frame's CPU time here: a slowed-down board saves it.
            if not self._source.lossless and not self._pace.admits(self.last_frame_s):
                continue
            prepared = self._pipeline.prepare(frame)
            if self._is_repeated(prepared):
                self._pipeline.drop(prepared)
                continue
            # After the freshness guard: a frozen camera must not pass for a scene in which nothing moves.
            nothing_found = not prepared.cuts and not self._pipeline.locates_late
            if nothing_found or (self._gate is not None and not self._is_let_through(self._gate, prepared)):
                self._turned_away += 1
                self._pipeline.drop(prepared)
                continue
            if not self._put(prepared):
                return

    def _put(self, prepared: Prepared) -> bool:
        """Hand a frame over to the inference thread; False once closed."""
        if self._patience is None:
            return self._prepared.put(prepared)
        taken = self._prepared.put(prepared, self._patience.left_s())
        self._patience.spend()
        return taken

    def _is_repeated(self, prepared: Prepared) -> bool:
        guard = self._freshness
        return guard is not None and not guard.is_fresh(prepared.picture, prepared.seen_bgr, self.last_frame_s)

    def _is_let_through(self, gate: Gate, prepared: Prepared) -> bool:
        self.judging_since_s = time.monotonic()
        answer = gate.lets_through(prepared)
        # In this order, for `check`: a slow gate is no sign of a camera that stalls.
        self.last_frame_s = time.monotonic()
        self.judging_since_s = None
        return answer

    def _infer(self) -> None:
        ready: Inferred | None = None  # not yet in the slot
        while True:
            # While a slow reader holds up the results, nothing is taken: the next inference must begin with a new
            # frame.
            prepared = self._prepared.take() if self._inferred.free else None
            if prepared is None:
                if ready is not None and not self._inferred.put(ready):
                    return
                ready = None
                prepared = self._wait_for_frame()
                if prepared is None:
                    return
            # From before `load`, which copies into the runtime's memory or the delegate's: a hang there is one, too,
            # and frames that a gate turns away meanwhile would hide it.
            self.inferring_since_s = time.monotonic()
            if self._pipeline.locates_late:
                # The result before it must not wait for a detector, which may take ten times as long as an inference.
                if ready is not None and not self._inferred.put(ready):
                    return
                ready = None
                self._prepared.wake()
                prepared = self._pipeline.locate(prepared)
                self.inferring_since_s = time.monotonic()
                if not prepared.cuts:
                    self._empty += 1
                    self.inferring_since_s = None
                    continue
            try:
                self._pipeline.load(prepared)
            finally:
                # The threads beside this one go on only now, when the next inference is about to start: what they do
                # in Python, holding the interpreter lock, then falls into it and not between two inferences. Waking a
                # thread takes time, so only one is woken here: the one that takes the result wakes the capture thread.
                if ready is None:
                    self._prepared.wake()
                else:
                    self._inferred.put(ready)
            ready = self._pipeline.invoke(prepared, self._has_time)
            self.inferring_since_s = None

    def _has_time(self) -> bool:
        """Return whether one more part of a frame may be inferred: a newer frame of a camera comes first."""
        self.inferring_since_s = time.monotonic()
        return self._source.lossless or self._prepared.free

    def _wait_for_frame(self) -> Prepared | None:
        """Return the next frame, None once closed."""
        while not self._prepared.closed:
            if (prepared := self._prepared.get(3600.0)) is not None:
                return prepared
        return None

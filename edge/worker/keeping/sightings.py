"""Detect sightings in the stream of scores, hold their best frames, and pass both on."""

from collections.abc import Callable, Sequence
from functools import partial

from edge.config.keeping import Pictures
from edge.events.detect import Detector
from edge.events.records import Sighting
from edge.processes.messages import Sighted
from edge.records import Pixels, Scores
from edge.results import Box, Decision
from edge.worker.keeping.background import BackgroundThread
from edge.worker.keeping.best_frames import BestFrames, Still
from edge.worker.keeping.sending import PictureSender, Send
from edge.worker.pipeline import Prepared

# Work for the thread that encodes, beyond which a picture of a burst is left out, and the best frame of an event is not
# held any longer: at 640 x 480 a picture takes 2 to 5 ms, so so much waits only if that thread gets no processor.
_BUSY, _OVERLOADED = 2, 12


class Sightings:
    """An Observer that sends what the detector finds; what has ended goes through `thread`, with its pictures.

    part: as in BestFrames.
    """

    def __init__(
        self,
        detector: Detector,
        send: Send,
        sender: PictureSender,
        thread: BackgroundThread,
        pictures: Pictures,
        part: Callable[[Pixels, Box | None], Pixels],
    ) -> None:
        self._detector, self._send, self._sender, self._thread = detector, send, sender, thread
        self._best: BestFrames | None = None
        if pictures.best or pictures.crop:
            self._best = BestFrames(part if pictures.crop else None, max_side=pictures.max_side)
        self._every_s = pictures.burst_every_s
        self._has_bursts = bool(pictures.before or pictures.after)
        self._now_s = self._due_s = -float("inf")
        self._waits_after = bool(pictures.after)
        self._open: set[int] = set()

    def look(self, prepared: Prepared, scores: Scores, decision: Decision) -> None:
        """See edge.worker.pipeline.Observer."""
        image_bgr = prepared.frame.image_bgr
        # A camera's own clock may step back a little, and the detector's time does not: peaks are found by it.
        mono_s = self._now_s = max(prepared.frame.captured_mono_s, self._now_s)
        if changed := self._detector.look(mono_s, scores.values, decision.box):
            self._pass_on(changed)
        if self._best is not None and ((peaks := self._detector.peaks) or self._best):
            self._best.update(peaks, image_bgr, mono_s, decision.box)
        if self._has_bursts and mono_s >= self._due_s:
            # In a steady rhythm, which begins anew after a pause.
            next_s = self._due_s + self._every_s
            self._due_s = next_s if next_s > mono_s else mono_s + self._every_s
            if self._thread.waiting <= _BUSY:
                self._thread.give(partial(self._sender.add_to_burst, image_bgr, mono_s))

    def idle(self, now_mono_s: float) -> None:
        """Note that no frame has come up to `now_mono_s`."""
        self._pass_on(self._detector.idle(now_mono_s))
        if self._best:
            self._best.forget(self._detector.peaks)

    def pulse(self, now_mono_s: float) -> None:
        """Do what is due about twice a second, with frames or without."""
        if self._waits_after:
            self._thread.give(partial(self._sender.expire, now_mono_s))

    def close(self) -> None:
        """End all sightings, and pass them on. The caller closes the thread."""
        self._pass_on(self._detector.close())
        self._thread.give(partial(self._sender.expire, float("inf")))

    def _pass_on(self, sightings: Sequence[Sighting]) -> None:
        for sighting in sightings:
            if sighting.ended:
                self._open.discard(sighting.number)
                self._end(sighting)
                continue
            if sighting.number not in self._open:
                self._open.add(sighting.number)
                if self._has_bursts:
                    self._thread.give(partial(self._sender.begin, sighting))
            self._send(Sighted(sighting), ())

    def _end(self, sighting: Sighting) -> None:
        # Always by way of the thread: the last of a sighting must not overtake what was sent of it before.
        still: Still | None = self._best.take(sighting.label) if self._best is not None else None
        if self._thread.waiting > _OVERLOADED:
            self._thread.give(partial(self._sender.end_bare, sighting))
        else:
            self._thread.give(partial(self._sender.end, sighting, still))

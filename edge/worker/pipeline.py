"""Join the stages: one frame in, one result out."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from edge.bundle.store import Bundle
from edge.decision import Decider
from edge.inference.base import Classifier
from edge.postprocess import to_scores
from edge.preprocess import Place, Preprocessor, Tensor
from edge.records import Frame, Pixels, Scores
from edge.results import Box, Decision, Latency, Other, Result

if TYPE_CHECKING:
    from edge.locating.places import Found
    from edge.worker.cutting import Cutter


@dataclass(frozen=True, slots=True)
class Cut:
    """What of a frame is classified, made into the model's input.

    tensor: (1, H, W, 3) of the model's dtype; valid until it is inferred or dropped.
    box: of what it was cut around; None for all of the frame. is_new: that was not found in the frame before.
    """

    tensor: Tensor
    box: Box | None = None
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A frame made into the model's input.

    cuts: what of it is classified, best first; empty if nothing was found, or is not looked for yet.
    picture: the frame made small, uint8 (height, width, channels); valid until the next frame is prepared.
    seen_bgr: the part of the frame itself that counts, all of it without a region.
    seconds: how long preparing took.
    """

    frame: Frame
    cuts: tuple[Cut, ...]
    picture: Pixels
    seen_bgr: Pixels
    seconds: float


@dataclass(frozen=True, slots=True)
class Inferred:
    """A prepared frame with the model's raw output for each cut that was inferred, at least one, and how many seconds
    loading and inferring took in all."""

    prepared: Prepared
    raws: tuple[NDArray[np.generic], ...]
    load_s: float
    invoke_s: float


class Observer(Protocol):
    """Looks at each frame that was decided on."""

    def look(self, prepared: Prepared, scores: Scores, decision: Decision) -> None:
        """Take a frame with its calibrated scores and the decision on it. Called on the thread that decides, for each
        frame in turn. The frame itself may be kept, which no source changes; the tensor and pictures in `prepared` may
        not. It must take microseconds: all else is for another thread. decision.box: what the scores are of."""


class Pipeline:
    """Prepare, locate, load and invoke, decide: stages that may run in three threads, each of them in one only.

    bundle, classifier: as given.
    cutter: finds what is cut out of a frame, on the thread that its kind wants; None: all of it is classified.
    background: labels that stand for nothing; of several cuts one with another label counts.
    on_edgetpu: does the classifier compute there?
    fallback: why the engine is not the one in the settings; part of every result.
    """

    # The runtime releases the interpreter lock while it computes, so the resize of the next frame and the decision on
    # the last one cost no time.

    def __init__(
        self,
        bundle: Bundle,
        preprocessor: Preprocessor,
        classifier: Classifier,
        decider: Decider,
        *,
        cutter: "Cutter | None" = None,
        background: frozenset[str] = frozenset(),
        on_edgetpu: bool = False,
        fallback: str | None = None,
    ) -> None:
        self.bundle = bundle
        self.classifier = classifier
        self.cutter = cutter
        self.on_edgetpu = on_edgetpu
        self.fallback = fallback
        self._preprocessor = preprocessor
        self._decider = decider
        self._background = background
        self._fitted_bgr = np.empty((preprocessor.height, preprocessor.width, 3), np.uint8)
        # Memory of frames that were inferred or dropped, for the next ones: a steady loop allocates no picture. A
        # deque, because its append and pop are atomic and two threads use it.
        self._spare: deque[Tensor] = deque()
        self._invoked: Tensor | None = None
        self._load_s = 0.0

    @property
    def least_size(self) -> tuple[int, int] | None:
        """Return Preprocessor.least_size; None if parts are cut out, which need all the pixels that a camera has."""
        return self._preprocessor.least_size if self.cutter is None else None

    @property
    def locates_late(self) -> bool:
        """Return True if `locate` must be called before `load`, on the thread that infers."""
        return self.cutter is not None and self.cutter.motion is None

    def part(self, image_bgr: Pixels, box: Box | None) -> Pixels:
        """Return the part of a frame that was classified, a view. box: that of its decision."""
        if box is None or self.cutter is None:
            return self._preprocessor.part(image_bgr)
        return self.cutter.around(image_bgr, box)

    def prepare(self, frame: Frame) -> Prepared:
        """Cut, resize and quantize. Raises ImageError on a frame of the wrong kind."""
        started = time.monotonic()
        seen_bgr = self._preprocessor.seen(frame.image_bgr)
        if self.cutter is not None and self.cutter.motion is not None:
            found = self.cutter.motion.find(seen_bgr, frame.second)
            cuts, picture = self._cut(frame, found), self.cutter.motion.small
        else:
            self._preprocessor.fit(frame.image_bgr, self._fitted_bgr)
            place = self._preprocessor.place_of(frame.image_bgr)
            picture = self._fitted_bgr[place]
            cuts = () if self.locates_late else (Cut(self._written(self._preprocessor, self._fitted_bgr, place)),)
        return Prepared(frame, cuts, picture, seen_bgr, time.monotonic() - started)

    def locate(self, prepared: Prepared) -> Prepared:
        """Return the frame with what the detector finds in it, which may be nothing. Raises EngineError."""
        assert self.cutter is not None
        assert self.cutter.detector is not None
        started = time.monotonic()
        cuts = self._cut(prepared.frame, self.cutter.detector.find(prepared.seen_bgr))
        return replace(prepared, cuts=cuts, seconds=prepared.seconds + time.monotonic() - started)

    def _cut(self, frame: Frame, found: "Sequence[Found]") -> tuple[Cut, ...]:
        assert self.cutter is not None
        cuts = []
        for cut_bgr, box, one in self.cutter.cut(frame.image_bgr, found):
            preprocessor, fitted_bgr = self.cutter.preprocessor, self.cutter.fitted_bgr
            place = preprocessor.fit_cut(cut_bgr, fitted_bgr)
            cuts.append(Cut(self._written(preprocessor, fitted_bgr, place), box, one.is_new))
        return tuple(cuts)

    def _written(self, preprocessor: Preprocessor, fitted_bgr: Pixels, place: Place) -> Tensor:
        """Return what was fitted as the model's input."""
        tensor = self._spare.pop() if self._spare else preprocessor.new_tensor()
        preprocessor.write(fitted_bgr, place, tensor)
        return tensor

    def drop(self, prepared: Prepared) -> None:
        """Take back the memory of a frame that will not be inferred; for any thread."""
        self._spare.extend(cut.tensor for cut in prepared.cuts)

    def load(self, prepared: Prepared) -> None:
        """Copy the first cut's tensor into the engine, for `invoke`."""
        started = time.monotonic()
        self.classifier.load(prepared.cuts[0].tensor)
        self._load_s = time.monotonic() - started

    def invoke(self, prepared: Prepared, more: Callable[[], bool] = lambda: True) -> Inferred:
        """Run the model on what was loaded last, the first cut of `prepared`, then on its other cuts. Raises
        EngineError if that fails.

        more: called before each further cut; False if there is no time for it.
        """
        load_s, invoke_s = self._load_s, 0.0
        raws: list[NDArray[np.generic]] = []
        for cut in prepared.cuts:
            if raws:
                if not more():
                    self._spare.append(cut.tensor)
                    continue
                started = time.monotonic()
                self.classifier.load(cut.tensor)
                load_s += time.monotonic() - started
            started = time.monotonic()
            raws.append(self.classifier.invoke())
            invoke_s += time.monotonic() - started
            # Only now: a guard keeps the last two inputs, to compare them and their answers.
            if self._invoked is not None:
                self._spare.append(self._invoked)
            self._invoked = cut.tensor
        return Inferred(prepared, tuple(raws), load_s, invoke_s)

    def judge(self, inferred: Inferred) -> tuple[int, list[Scores]]:
        """Return the scores of each cut that was inferred, and the place of the one that counts: the surest, of those
        that show something. Raises EngineError if scores are not finite."""
        manifest = self.bundle.manifest
        scores = [to_scores(raw, manifest.output, manifest.calibration) for raw in inferred.raws]
        return max(range(len(scores)), key=lambda i: self._rank(scores[i], i)) if len(scores) > 1 else 0, scores

    def _rank(self, scores: Scores, place: int) -> tuple[bool, float, int]:
        best = int(scores.values.argmax())
        return self.bundle.labels[best] not in self._background, float(scores.values[best]), -place

    def decide(self, inferred: Inferred, *, dropped: int, observer: Observer | None = None) -> Result:
        """Turn raw output into scores and a decision. Raises EngineError if scores are not finite.

        observer: gets the scores, too.
        """
        frame = inferred.prepared.frame
        begun = time.monotonic()
        chosen, scores = self.judge(inferred)
        cut = inferred.prepared.cuts[chosen]
        if cut.is_new:
            self._decider.begin_anew()
        decision = self._decider.decide(scores[chosen])
        if cut.box is not None:
            decision = structs.replace(decision, box=cut.box)
        decided = time.monotonic()
        if observer is not None:
            observer.look(inferred.prepared, scores[chosen], decision)
        total, postprocess = decided - frame.captured_mono_s, decided - begun
        preprocess = inferred.prepared.seconds + inferred.load_s
        return Result(
            frame=frame.sequence,
            label=decision.label,
            score=decision.score,
            top=decision.top,
            captured_wall_s=round(frame.captured_wall_s, 6),
            captured_mono_s=round(frame.captured_mono_s, 6),
            latency_ms=Latency(
                wait=_ms(total - preprocess - inferred.invoke_s - postprocess),
                preprocess=_ms(preprocess),
                inference=_ms(inferred.invoke_s),
                postprocess=_ms(postprocess),
                total=_ms(total),
            ),
            engine=self.classifier.engine,
            bundle=self.bundle.bundle_id,
            dropped=dropped,
            image=frame.name,
            box=decision.box,
            others=self._others(inferred, chosen, scores) if len(scores) > 1 else (),
            fallback=self.fallback,
        )

    def _others(self, inferred: Inferred, chosen: int, scores: list[Scores]) -> tuple[Other, ...]:
        found = []
        for place, (cut, values) in enumerate(zip(inferred.prepared.cuts, scores, strict=False)):
            if place != chosen and cut.box is not None:
                alone = self._decider.decide_alone(values)
                found.append(Other(alone.label, alone.score, cut.box))
        return tuple(found)

    def close(self) -> None:
        """Free the models; safe to call twice."""
        self.classifier.close()
        if self.cutter is not None and self.cutter.detector is not None:
            self.cutter.detector.close()

    def process(self, frame: Frame) -> Result:
        """Run all stages on all of a frame, one after the other; for a pipeline without a cutter."""
        prepared = self.prepare(frame)
        self.load(prepared)
        return self.decide(self.invoke(prepared), dropped=0)


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)

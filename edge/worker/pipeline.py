"""Join the stages: one frame in, one result out."""

import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.bundle.store import Bundle
from edge.decision import Decider
from edge.inference.base import Classifier
from edge.postprocess import to_scores
from edge.preprocess import Preprocessor, Tensor
from edge.records import Frame, Pixels, Scores
from edge.results import Decision, Latency, Result


@dataclass(frozen=True, slots=True)
class Prepared:
    """A frame made into the model's input.

    tensor: (1, H, W, 3) of the model's dtype; valid until the frame is inferred or dropped.
    picture_bgr: the resized frame without a letterbox's bars, uint8 (height, width, 3), B, G, R; valid until the next
        frame is prepared.
    seen_bgr: the part of the frame itself that counts, all of it without a region.
    seconds: how long preparing took.
    """

    frame: Frame
    tensor: Tensor
    picture_bgr: Pixels
    seen_bgr: Pixels
    seconds: float


@dataclass(frozen=True, slots=True)
class Inferred:
    """A prepared frame with the model's raw output, and how many seconds loading and inferring took."""

    prepared: Prepared
    raw: NDArray[np.generic]
    load_s: float
    invoke_s: float


class Observer(Protocol):
    """Looks at each frame that was decided on."""

    def look(self, prepared: Prepared, scores: Scores, decision: Decision) -> None:
        """Take a frame with its calibrated scores and the decision on it. Called on the thread that decides, for each
        frame in turn. The frame itself may be kept, which no source changes; the tensor and pictures in `prepared` may
        not. It must take microseconds: all else is for another thread."""


class Pipeline:
    """Prepare, load and invoke, decide: stages that may run in three threads, each of them in one only.

    bundle, classifier: as given.
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
        on_edgetpu: bool = False,
        fallback: str | None = None,
    ) -> None:
        self.bundle = bundle
        self.classifier = classifier
        self.on_edgetpu = on_edgetpu
        self.fallback = fallback
        self._preprocessor = preprocessor
        self._decider = decider
        self._fitted_bgr = np.empty((preprocessor.height, preprocessor.width, 3), np.uint8)
        # Memory of frames that were inferred or dropped, for the next ones: a steady loop allocates no picture. A
        # deque, because its append and pop are atomic and two threads use it.
        self._spare: deque[Tensor] = deque()
        self._invoked: Tensor | None = None
        self._load_s = 0.0

    @property
    def least_size(self) -> tuple[int, int]:
        """Return Preprocessor.least_size."""
        return self._preprocessor.least_size

    def part(self, image_bgr: Pixels) -> Pixels:
        """Return Preprocessor.part."""
        return self._preprocessor.part(image_bgr)

    def prepare(self, frame: Frame) -> Prepared:
        """Cut, resize and quantize. Raises ImageError on a frame of the wrong kind."""
        started = time.monotonic()
        tensor = self._spare.pop() if self._spare else self._preprocessor.new_tensor()
        self._preprocessor.fit(frame.image_bgr, self._fitted_bgr)
        self._preprocessor.write(self._fitted_bgr, tensor)
        picture_bgr = self._preprocessor.picture(self._fitted_bgr, frame.image_bgr)
        seen_bgr = self._preprocessor.seen(frame.image_bgr)
        return Prepared(frame, tensor, picture_bgr, seen_bgr, time.monotonic() - started)

    def drop(self, prepared: Prepared) -> None:
        """Take back the memory of a frame that will not be inferred; for any thread."""
        self._spare.append(prepared.tensor)

    def load(self, prepared: Prepared) -> None:
        """Copy the tensor into the engine, for `invoke`."""
        started = time.monotonic()
        self.classifier.load(prepared.tensor)
        self._load_s = time.monotonic() - started

    def invoke(self, prepared: Prepared) -> Inferred:
        """Run the model on what was loaded last, which was `prepared`. Raises EngineError if that fails."""
        started = time.monotonic()
        raw = self.classifier.invoke()
        invoke_s = time.monotonic() - started
        # Only now: a guard keeps the last two inputs, to compare them and their answers.
        if self._invoked is not None:
            self._spare.append(self._invoked)
        self._invoked = prepared.tensor
        return Inferred(prepared, raw, self._load_s, invoke_s)

    def decide(self, inferred: Inferred, *, dropped: int, observer: Observer | None = None) -> Result:
        """Turn raw output into scores and a decision. Raises EngineError if scores are not finite.

        observer: gets the scores, too.
        """
        manifest, frame = self.bundle.manifest, inferred.prepared.frame
        begun = time.monotonic()
        scores = to_scores(inferred.raw, manifest.output, manifest.calibration)
        decision = self._decider.decide(scores)
        decided = time.monotonic()
        if observer is not None:
            observer.look(inferred.prepared, scores, decision)
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
            fallback=self.fallback,
        )

    def process(self, frame: Frame) -> Result:
        """Run all stages, one after the other."""
        prepared = self.prepare(frame)
        self.load(prepared)
        return self.decide(self.invoke(prepared), dropped=0)


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)

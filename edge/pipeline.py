"""The stages joined: one frame in, one result out."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.bundle.store import Bundle
from edge.decision import Decider
from edge.inference.base import Classifier
from edge.postprocess import to_scores
from edge.preprocess import Preprocessor
from edge.records import Frame, Pixels
from edge.results import Latency, Result


@dataclass(frozen=True, slots=True)
class FittedFrame:
    """A frame cut and resized for the model (pixels_bgr: uint8 (H, W, 3), B, G, R), and what that took.
    picture_bgr: the part of it that shows the frame, without a letterbox's bars; a view.

    Once it is inferred or dropped, its memory may be another frame's."""

    frame: Frame
    pixels_bgr: Pixels
    picture_bgr: Pixels
    fit_s: float


@dataclass(frozen=True, slots=True)
class Inferred:
    """A fitted frame with the model's raw output, and when (monotonic seconds) loading and inferring ended."""

    fitted: FittedFrame
    raw: NDArray[np.generic]
    started_s: float
    loaded_s: float
    invoked_s: float


class Pipeline:
    """Fit, infer, decide: three stages that may run in three threads, each of them in one only.

    The runtime releases the interpreter lock while it computes, so the resize of the next frame and the
    decision on the last one cost no time. fallback: why a lesser engine than the one asked for serves; travels
    in every result.
    """

    def __init__(
        self,
        bundle: Bundle,
        preprocessor: Preprocessor,
        classifier: Classifier,
        decider: Decider,
        *,
        fallback: str | None = None,
    ) -> None:
        self.bundle = bundle
        self.classifier = classifier
        self.fallback = fallback
        self._preprocessor = preprocessor
        self._decider = decider

    @property
    def least_size(self) -> tuple[int, int]:
        """As Preprocessor.least_size."""
        return self._preprocessor.least_size

    def fit(self, frame: Frame, out: Pixels | None = None) -> FittedFrame:
        """Cut and resize, into `out` where given. Raises ImageError on a frame of the wrong kind."""
        started = time.monotonic()
        pixels_bgr = self._preprocessor.fit(frame.image_bgr, out)
        picture_bgr = self._preprocessor.picture(pixels_bgr, frame.image_bgr)
        return FittedFrame(frame, pixels_bgr, picture_bgr, time.monotonic() - started)

    def infer(self, fitted: FittedFrame) -> Inferred:
        """Quantize into the input tensor and run the model. Raises EngineError where that fails."""
        started = time.monotonic()
        self.classifier.load(lambda tensor: self._preprocessor.write(fitted.pixels_bgr, tensor))
        loaded = time.monotonic()
        raw = self.classifier.invoke()
        return Inferred(fitted, raw, started, loaded, time.monotonic())

    def decide(self, inferred: Inferred, *, dropped: int) -> Result:
        """Scores and decision. Raises EngineError where scores are not finite."""
        manifest, frame, fitted = self.bundle.manifest, inferred.fitted.frame, inferred.fitted
        begun = time.monotonic()
        decision = self._decider.decide(to_scores(inferred.raw, manifest.output, manifest.calibration))
        decided = time.monotonic()
        return Result(
            frame=frame.sequence,
            label=decision.label,
            score=decision.score,
            top=decision.top,
            captured_wall_s=round(frame.captured_wall_s, 6),
            captured_mono_s=round(frame.captured_mono_s, 6),
            latency_ms=Latency(
                wait=_ms(inferred.started_s - frame.captured_mono_s - fitted.fit_s + begun - inferred.invoked_s),
                preprocess=_ms(fitted.fit_s + inferred.loaded_s - inferred.started_s),
                inference=_ms(inferred.invoked_s - inferred.loaded_s),
                postprocess=_ms(decided - begun),
                total=_ms(decided - frame.captured_mono_s),
            ),
            engine=self.classifier.engine,
            bundle=self.bundle.bundle_id,
            dropped=dropped,
            image=frame.name,
            fallback=self.fallback,
        )

    def process(self, frame: Frame) -> Result:
        """All stages, one after the other."""
        return self.decide(self.infer(self.fit(frame)), dropped=0)


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)

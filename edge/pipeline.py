"""The stages joined: one frame in, one result out."""

import time
from dataclasses import dataclass

from edge.bundle.store import Bundle
from edge.decision import Decider
from edge.inference.base import Classifier
from edge.postprocess import to_scores
from edge.preprocess import Preprocessor
from edge.records import Frame, Latency, Pixels, Result


@dataclass(frozen=True, slots=True)
class FittedFrame:
    """A frame cut and resized for the model (pixels_bgr: uint8 (H, W, 3), B, G, R), and what that took."""

    frame: Frame
    pixels_bgr: Pixels
    fit_s: float


class Pipeline:
    """Fit, write, infer, postprocess, decide.

    `fit` may run in the capture thread while `classify` runs in another: the runtime releases the
    interpreter lock while it computes, so the next frame's resize costs no time. Each of the two is for one
    thread at a time. fallback: why a lesser engine than the one asked for serves; travels in every result.
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

    def fit(self, frame: Frame) -> FittedFrame:
        """The first stage. Raises ImageError on a frame of the wrong kind."""
        started = time.monotonic()
        pixels_bgr = self._preprocessor.fit(frame.image_bgr)
        return FittedFrame(frame, pixels_bgr, time.monotonic() - started)

    def process(self, frame: Frame) -> Result:
        """Both stages, one after the other."""
        return self.classify(self.fit(frame), dropped=0)

    def classify(self, fitted: FittedFrame, *, dropped: int) -> Result:
        """The other stages. Raises EngineError where inference fails or its scores are not finite."""
        manifest, frame = self.bundle.manifest, fitted.frame
        started = time.monotonic()
        self.classifier.load(lambda tensor: self._preprocessor.write(fitted.pixels_bgr, tensor))
        loaded = time.monotonic()
        raw = self.classifier.invoke()
        invoked = time.monotonic()
        decision = self._decider.decide(to_scores(raw, manifest.output, manifest.calibration))
        decided = time.monotonic()
        return Result(
            frame=frame.sequence,
            label=decision.label,
            score=decision.score,
            top=decision.top,
            captured_wall_s=round(frame.captured_wall_s, 6),
            captured_mono_s=round(frame.captured_mono_s, 6),
            latency_ms=Latency(
                wait=_ms(started - frame.captured_mono_s - fitted.fit_s),
                preprocess=_ms(fitted.fit_s + loaded - started),
                inference=_ms(invoked - loaded),
                postprocess=_ms(decided - invoked),
                total=_ms(decided - frame.captured_mono_s),
            ),
            engine=self.classifier.engine,
            bundle=self.bundle.bundle_id,
            dropped=dropped,
            image=frame.name,
            fallback=self.fallback,
        )


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)

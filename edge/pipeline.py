"""The stages joined: one frame in, one result out."""

import time

from edge.bundle.store import Bundle
from edge.decision import Decider
from edge.inference.base import Classifier
from edge.postprocess import to_scores
from edge.preprocess import Preprocessor
from edge.records import Frame, Latency, Result


class Pipeline:
    """Preprocess, infer, postprocess, decide. Used by one thread.

    fallback: why a lesser engine than the one asked for serves; travels in every result.
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

    def process(self, frame: Frame, *, dropped: int = 0) -> Result:
        """Classify one frame. Raises ImageError on a frame of the wrong kind, EngineError where inference
        fails or its scores are not finite."""
        manifest = self.bundle.manifest
        started = time.monotonic()
        self.classifier.load(lambda tensor: self._preprocessor.tensor(frame.image_bgr, tensor))
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
                wait=_ms(started - frame.captured_mono_s),
                preprocess=_ms(loaded - started),
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

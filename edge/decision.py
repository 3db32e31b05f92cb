"""Decide on a label from scores over time: smoothing, threshold, unknown. No input or output of its own."""

import numpy as np
from numpy.typing import NDArray

from edge.postprocess import top_k
from edge.records import Scores
from edge.results import UNKNOWN, Candidate, Decision


class Decider:
    """A rule that turns each frame's scores into a decision. Holds a mean of the scores: one instance a camera.

    labels: one for each score.
    thresholds: one for each label: if the best score is below that of its label, the decision is UNKNOWN; 0 never is.
    smoothing: share of the past in an exponential mean of the scores, from 0 (each frame alone) to below 1.
    top: how many candidates a decision holds.
    """

    def __init__(self, labels: tuple[str, ...], *, thresholds: tuple[float, ...], smoothing: float, top: int) -> None:
        self.labels = labels
        self.thresholds = dict(zip(labels, thresholds, strict=True))
        self.smoothing = smoothing
        self.top = top
        self._mean: NDArray[np.float32] | None = None

    def decide(self, scores: Scores) -> Decision:
        """Return the decision for the newest scores, which must have one value a label."""
        values = scores.values
        if self.smoothing and self._mean is not None:
            values = self.smoothing * self._mean + (1 - self.smoothing) * values
        self._mean = values.astype(np.float32)
        top = top_k(Scores(self._mean), self.labels, self.top)
        return Decision(self._label(top[0]), top[0].score, top)

    def decide_alone(self, scores: Scores) -> Decision:
        """Return the decision for scores of something else, which have no past and become none."""
        top = top_k(scores, self.labels, self.top)
        return Decision(self._label(top[0]), top[0].score, top)

    def begin_anew(self) -> None:
        """Forget the past: what comes next is something else."""
        self._mean = None

    def _label(self, best: Candidate) -> str:
        return best.label if best.score >= self.thresholds[best.label] else UNKNOWN

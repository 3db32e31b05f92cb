"""Choose frames for the next training: those that the model was unsure of, and a few at random."""

import random
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edge.config.keeping import Harvest
from edge.events.records import Reason, Sample
from edge.records import Frame, Pixels, Scores
from edge.results import UNKNOWN, Box, Decision
from edge.worker.keeping.background import BackgroundThread
from edge.worker.keeping.second_opinion import SecondOpinion
from edge.worker.keeping.sending import PictureSender
from edge.worker.pipeline import Prepared

# A best score this near its threshold might as well be on the other side, ...
_NEAR_THRESHOLD = 0.05
# ... and two best scores so near each other, which have most of the picture between them, might as well change places.
# Without the second condition every frame of a thousand classes that shows none of them would be uncertain.
_NEAR_EACH_OTHER, _BOTH = 0.1, 0.5
# The other engine computes on one frame a minute, and takes at most 1 % of the time.
_COMPARE_S, _COMPARE_SHARE = 60.0, 0.01
# Neighbouring frames look alike, and judging one takes as long as detecting on it: 10 to 40 us for 1,000 labels.
_JUDGE_EVERY_S = 0.1
# Waiting work of the thread that encodes, beyond which no frame is chosen.
_BUSY = 1

Scored = NDArray[np.float32]


class Judge:
    """The label that scores alone give, without a past."""

    def __init__(self, labels: tuple[str, ...], thresholds: tuple[float, ...], background: frozenset[str]) -> None:
        self._labels, self._thresholds = labels, thresholds
        self._is_background = [label in background for label in labels]

    def label(self, scores: Scored) -> str:
        """Return the best label, `unknown` if its score is under its threshold and it is no background."""
        best = int(scores.argmax())
        if scores[best] >= self._thresholds[best] or self._is_background[best]:
            return self._labels[best]
        return UNKNOWN

    def is_uncertain(self, scores: Scored) -> bool:
        """Return True if another label, or none, was nearly the best."""
        best = int(scores.argmax())
        first = float(scores[best])
        threshold = self._thresholds[best]
        # A threshold of 0 is none: the bundle was never calibrated.
        if threshold and abs(first - threshold) < _NEAR_THRESHOLD and not self._is_background[best]:
            return True
        if len(scores) < 2:
            return False
        second = float(max(scores[:best].max(initial=0.0), scores[best + 1 :].max(initial=0.0)))
        return first - second < _NEAR_EACH_OTHER and first + second > _BOTH


class Chooser:
    """Finds the reasons to keep a frame; each at most once in harvest.every_s. Used by one thread.

    smoothed: returns the scores after smoothing, None before the first.
    """

    def __init__(
        self, harvest: Harvest, judge: Judge, smoothed: Callable[[], Scored | None], rng: random.Random
    ) -> None:
        self._judge, self._smoothed, self._rng = judge, smoothed, rng
        self._every_s = harvest.every_s
        self._random_s = 3600 / harvest.random_per_hour if harvest.random_per_hour else None
        # When each reason may be found again, monotonic; reasons that are not wanted are not there.
        wanted: dict[Reason, bool] = {
            "uncertain": harvest.uncertain,
            "unknown": harvest.unknown,
            "smoothing": harvest.disagreement,
            "random": self._random_s is not None,
        }
        self._due_s: dict[Reason, float] = {reason: -float("inf") for reason, is_wanted in wanted.items() if is_wanted}
        self._is_first = True

    def reasons(self, mono_s: float, scores: Scored) -> tuple[Reason, ...]:
        """Return why this frame must be kept, nothing for most frames."""
        if self._is_first:
            self._is_first = False
            if "random" in self._due_s:
                # Not the first frame after each start: a device that restarts often would harvest nothing else.
                self._due_s["random"] = mono_s + self._pause_s()
        found = tuple(
            reason for reason, due_s in self._due_s.items() if mono_s >= due_s and self._applies(reason, scores)
        )
        for reason in found:
            self._due_s[reason] = mono_s + (self._pause_s() if reason == "random" else self._every_s)
        return found

    def _applies(self, reason: Reason, scores: Scored) -> bool:
        if reason == "uncertain":
            return self._judge.is_uncertain(scores)
        if reason == "unknown":
            return self._judge.label(scores) == UNKNOWN
        if reason == "smoothing":
            smoothed = self._smoothed()
            return smoothed is not None and self._judge.label(smoothed) != self._judge.label(scores)
        return True

    def _pause_s(self) -> float:
        """Return a random time, so that samples at random follow no rhythm of the scene."""
        assert self._random_s is not None
        return max(self._every_s, self._rng.expovariate(1 / self._random_s))


class Harvester:
    """An Observer that has chosen frames encoded and sent on `thread`.

    opinion: another engine, for frames on which the two differ; None if there is none, or none is wanted.
    part: Pipeline.part.
    """

    def __init__(
        self,
        chooser: Chooser,
        judge: Judge,
        sender: PictureSender,
        thread: BackgroundThread,
        part: Callable[[Pixels, Box | None], Pixels],
        opinion: SecondOpinion | None = None,
    ) -> None:
        self._part = part
        self._chooser, self._judge, self._sender, self._thread = chooser, judge, sender, thread
        self._opinion = opinion
        self._judge_due_s = self._compare_due_s = -float("inf")

    def look(self, prepared: Prepared, scores: Scores, decision: Decision) -> None:
        """See edge.worker.pipeline.Observer."""
        frame = prepared.frame
        mono_s = frame.captured_mono_s
        if mono_s < self._judge_due_s or self._thread.waiting > _BUSY:
            return
        self._judge_due_s = mono_s + _JUDGE_EVERY_S
        if reasons := self._chooser.reasons(mono_s, scores.values):
            sample = _sample(frame, decision, reasons)
            self._thread.give(partial(self._sender.sample, sample, frame.image_bgr))
        if self._opinion is not None and mono_s >= self._compare_due_s:
            self._compare_due_s = mono_s + max(_COMPARE_S, self._opinion.took_s / _COMPARE_SHARE)
            sample = _sample(frame, decision, ("engines",))
            part_bgr = self._part(frame.image_bgr, decision.box)
            self._thread.give(partial(self._compare, self._opinion, sample, scores.values, frame.image_bgr, part_bgr))

    def _compare(
        self, opinion: SecondOpinion, sample: Sample, scores: Scored, image_bgr: Pixels, part_bgr: Pixels
    ) -> None:
        other = opinion.scores(part_bgr)
        if other is not None and self._judge.label(other) != self._judge.label(scores):
            self._sender.sample(sample, image_bgr)


def _sample(frame: Frame, decision: Decision, reasons: tuple[Reason, ...]) -> Sample:
    height, width = frame.image_bgr.shape[:2]
    return Sample(
        captured_mono_s=frame.captured_mono_s,
        label=decision.label,
        score=decision.score,
        top=decision.top,
        reasons=reasons,
        width=width,
        height=height,
    )

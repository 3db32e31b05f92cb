"""Choose the threshold for `unknown` on validation photos, for a precision that the user names. Pure.

truth is int64 (n,), scores float32 (n, classes) in 0..1 as the device computes them. A photo is accepted if
its best score is at least the threshold (edge.decision); coverage is the share of photos that are accepted,
precision the share of the accepted ones that are right. Validation photos choose the threshold: only test photos
show what it is worth.
"""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from trainer.measuring.metrics import Interval, ScoreTable, Truth, best_scores, predictions, wilson

# One-sided confidence of Wilson's bound, which chooses the threshold. Why this rule: taking the smallest of many
# thresholds that pass profits from luck, so the bound must be stricter than a plain mean; too strict, and hardly a
# photo gets a name. In a simulation (2,000 repetitions of 378 validation and 400 new photos; five kinds of classifier,
# 80 to 92 % right; promise 95 %) the new photos kept at least 93 % in this share of the repetitions, at this share of
# the largest coverage that the promise truly allows; `none`: no threshold passed.
#
#     rule                              kept 93 %   coverage    none
#     plain mean reaches it                82 %       102 %      0 %
#     Clopper-Pearson, 70 %                91 %        83 %      2 %
#     Clopper-Pearson, 80 %                94 %        75 %      6 %
#     Wilson, 75 %                         91 %        86 %      0 %
#     Wilson, 80 %                         93 %        81 %      1 %
#     Wilson, 85 % (this one)              94 %        75 %      2 %
#     Wilson, 90 %                         96 %        66 %      7 %
#     all stricter thresholds pass, too,
#     Clopper-Pearson, 70 %                95 %        60 %      2 %
#
# The true precision was at least the promise in 82 %. With 150 validation photos: 92 % kept, 15 % none; with
# 1,000: 95 %, 0 %. On TrashNet (MobileNetV2 0.35, 82 % right, validation and test photos redrawn 1,000
# times): 96 % kept at a coverage of 52 %. tools/study_threshold.py repeats the simulation.
LEVEL = 0.85
CURVE_POINTS = 200


class CurvePoint(msgspec.Struct, frozen=True):
    """One threshold.

    threshold: the score from which on a photo gets a name.
    coverage: the share of photos that get one.
    precision: the share of those that are right.
    """

    threshold: float
    coverage: float
    precision: float


class ThresholdEffect(msgspec.Struct, frozen=True):
    """What one threshold does to one set of photos.

    photos: all of them.
    accepted: those that get a name.
    coverage: their share.
    precision: the share of them that is right; None if nothing is accepted.
    """

    photos: int
    accepted: int
    coverage: float
    precision: Interval | None


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """The threshold for `unknown` and its reasons.

    promise: the precision that the user named; None if none was.
    threshold: the score under which a photo is called unknown.
    shown: whether the validation photos can back the promise; if not, threshold is 0 and nothing is called unknown.
    bound: the lower confidence bound of the precision on the accepted validation photos.
    validation: the effect on the validation photos.
    note: why a promise is not shown, or needs no threshold.
    """

    promise: float | None
    threshold: float
    shown: bool
    bound: float | None
    validation: ThresholdEffect | None
    note: str


def coverage_curve(truth: Truth, scores: ScoreTable, points: int = CURVE_POINTS) -> tuple[CurvePoint, ...]:
    """Return coverage and precision at the thresholds that change something, lowest first, thinned to about
    `points`. Empty without photos."""
    return curve_of(best_scores(scores), predictions(scores) == truth, points)


def curve_of(best: NDArray[np.float64], right: NDArray[np.bool_], points: int = CURVE_POINTS) -> tuple[CurvePoint, ...]:
    """Return coverage_curve, from best scores and whether they are right, both (n,)."""
    values, accepted, hits = _by_threshold(best, right)
    if not len(values):
        return ()
    kept = np.unique(np.linspace(0, len(values) - 1, min(points, len(values))).astype(int))
    return tuple(
        CurvePoint(float(values[i]), float(accepted[i] / len(best)), float(hits[i] / accepted[i])) for i in kept[::-1]
    )


def effect(truth: Truth, scores: ScoreTable, threshold: float) -> ThresholdEffect | None:
    """Return the effect of `threshold` on these photos; None without photos."""
    return effect_of(best_scores(scores), predictions(scores) == truth, threshold)


def effect_of(best: NDArray[np.float64], right: NDArray[np.bool_], threshold: float) -> ThresholdEffect | None:
    """Return the effect, from best scores and whether they are right, both (n,)."""
    if not len(best):
        return None
    accepted = best >= threshold
    count, hits = int(accepted.sum()), int(right[accepted].sum())
    return ThresholdEffect(len(best), count, count / len(best), wilson(hits, count) if count else None)


def choose_threshold(scores: ScoreTable, truth: Truth, precision: float) -> Threshold:
    """Return the smallest threshold at which the accepted photos show a precision of at least `precision`, in (0, 1):
    Wilson's one-sided lower bound at 85 % reaches it. That takes 21 right answers in a row for 95 %, 107 for 99 %.

    Raises ValueError for a precision outside (0, 1)."""
    if not 0 < precision < 1:
        raise ValueError(f"precision {precision}, must be above 0 and below 1, such as 0.95")
    best, right = best_scores(scores), predictions(scores) == truth
    values, accepted, hits = _by_threshold(best, right)
    bounds = lower_bound(hits, accepted)
    passing = np.flatnonzero(bounds >= precision)
    if not passing.size:
        return _not_shown(precision, len(best), effect(truth, scores, 0.0))
    last = int(passing[-1])
    below = float(values[last + 1]) if last + 1 < len(values) else 0.0
    threshold = 0.0 if last + 1 == len(values) else shortest_between(below, float(values[last]))
    return Threshold(
        promise=precision,
        threshold=threshold,
        shown=True,
        bound=float(bounds[last]),
        validation=effect(truth, scores, threshold),
        note="every validation photo may be named: the promise holds without a threshold" if threshold == 0 else "",
    )


def lower_bound(right: NDArray[np.int64], n: NDArray[np.int64], level: float = LEVEL) -> NDArray[np.float64]:
    """Return Wilson's one-sided lower confidence bound of right/n, elementwise; n at least 1."""
    z = float(ndtri(level))
    share = right / n
    spread = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n**2))
    result: NDArray[np.float64] = (share + z * z / (2 * n) - spread) / (1 + z * z / n)
    return result


def photos_needed(precision: float, level: float = LEVEL) -> int:
    """Return how many right answers without one mistake show `precision`: 1/(1 + z^2/n) >= precision."""
    z = float(ndtri(level))
    return math.ceil(z * z * precision / (1 - precision))


def _by_threshold(
    best: NDArray[np.float64], right: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct best scores, highest first; how many photos reach each; how many of those are right."""
    values, places = np.unique(-best, return_inverse=True)
    accepted = np.cumsum(np.bincount(places, minlength=len(values)))
    hits = np.cumsum(np.bincount(places, weights=right, minlength=len(values)))
    return -values, accepted.astype(np.int64), hits.astype(np.int64)


def shortest_between(below: float, reached: float) -> float:
    """Return the decimal number of fewest digits above `below` and at most `reached`."""
    # Kept clear of both, as the device compares scores that are rounded to 6 digits.
    for digits in range(2, 7):
        candidate = math.floor((reached - 4e-7) * 10.0**digits) / 10.0**digits
        if candidate > below + 4e-7:
            return candidate
    return (below + reached) / 2


def _not_shown(precision: float, photos: int, validation: ThresholdEffect | None) -> Threshold:
    needed, promise = photos_needed(precision), f"{precision * 100:.4g} %"
    if photos < needed:
        note = (
            f"{photos} validation photos cannot show {promise}: even without a mistake at least {needed} "
            "are needed; nothing is called unknown"
        )
    else:
        note = (
            f"no threshold shows {promise} on the {photos} validation photos: even the surest answers are "
            "wrong too often or too few; nothing is called unknown"
        )
    return Threshold(promise=precision, threshold=0.0, shown=False, bound=None, validation=validation, note=note)

"""Compare answers with the truth. Pure: arrays in, frozen records out.

Throughout: truth is int64 (n,), the index of each photo's class; scores is float32 (n, classes) in 0..1 as the
device computes them (edge.postprocess.to_scores). Shares are 0..1. What has no value is None.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Truth = NDArray[np.int64]
ScoreTable = NDArray[np.float32]
CALIBRATION_BINS = 15  # as Guo et al. 2017


class Interval(msgspec.Struct, frozen=True):
    """A share and the range in which it lies with 95 % confidence, as far as chance goes; each 0..1."""

    value: float
    low: float
    high: float


class ClassFigures(msgspec.Struct, frozen=True):
    """One class.

    support: its photos.
    predicted: the photos that were given its name.
    precision: of the photos given its name, the share that is it; None without any.
    recall: of its photos, the share that was found; None without any.
    f1: the harmonic mean of both; None without one of them.
    """

    name: str
    support: int
    predicted: int
    precision: Interval | None
    recall: Interval | None
    f1: float | None


class ReliabilityBin(msgspec.Struct, frozen=True):
    """The photos whose best score lies in (low, high].

    photos: how many.
    score: their mean score.
    accuracy: the share that is right.
    """

    low: float
    high: float
    photos: int
    score: float
    accuracy: Interval


class Confusion(msgspec.Struct, frozen=True):
    """`photos` of class `truth` were taken for `answer`; `of` is the number of photos of class `truth`."""

    truth: str
    answer: str
    photos: int
    of: int


def wilson(right: int, n: int, level: float = 0.95) -> Interval:
    """Return the share right/n with its two-sided score interval (Wilson, JASA 22, 1927); n at least 1."""
    # Unlike the textbook's plus-minus it stays inside 0..1, and has a width at 0 of 4 and at 4 of 4.
    z = float(ndtri(0.5 + level / 2))
    share = right / n
    middle = share + z * z / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At 0 of n and n of n the ends are 0 and 1 but for rounding.
    low = 0.0 if right == 0 else float((middle - half) / scale)
    high = 1.0 if right == n else float((middle + half) / scale)
    return Interval(share, low, high)


def predictions(scores: ScoreTable) -> Truth:
    """Return the class of the best score, int64 (n,); ties go to the lower index, as on the device."""
    result: Truth = scores.argmax(axis=1).astype(np.int64)
    return result


def best_scores(scores: ScoreTable) -> NDArray[np.float64]:
    """Return the best score of each photo, float64 (n,), rounded to the 6 places that the device compares with its
    threshold."""
    result: NDArray[np.float64] = np.round(scores.max(axis=1).astype(np.float64), 6)
    return result


def top1(truth: Truth, scores: ScoreTable) -> Interval | None:
    """Return the share of photos whose best score is their class; None without photos."""
    if not len(truth):
        return None
    return wilson(int((predictions(scores) == truth).sum()), len(truth))


def confusion_matrix(truth: Truth, answers: Truth, classes: int) -> Truth:
    """Count how many photos of class `row` were taken for class `column`: int64 (classes, classes)."""
    counts = np.bincount(truth * classes + answers, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def class_figures(matrix: Truth, names: tuple[str, ...]) -> tuple[ClassFigures, ...]:
    """Work out precision, recall and F1 of every class from the confusion matrix, (classes, classes)."""
    hits, support, predicted = (values.tolist() for values in (np.diag(matrix), matrix.sum(1), matrix.sum(0)))
    return tuple(
        ClassFigures(
            name=name,
            support=support[i],
            predicted=predicted[i],
            precision=wilson(hits[i], predicted[i]) if predicted[i] else None,
            recall=wilson(hits[i], support[i]) if support[i] else None,
            f1=2 * hits[i] / (support[i] + predicted[i]) if support[i] and predicted[i] else None,
        )
        for i, name in enumerate(names)
    )


def macro_recall(figures: tuple[ClassFigures, ...]) -> float | None:
    """Return the mean recall of the classes that have photos: a rare class counts as much as a common one."""
    recalls = [entry.recall.value for entry in figures if entry.recall is not None]
    return float(np.mean(recalls)) if recalls else None


def confused_pairs(matrix: Truth, names: tuple[str, ...], limit: int) -> tuple[Confusion, ...]:
    """Return the pairs (truth, answer) with the most mistakes, at most `limit`; of two with as many, first that of the
    rarer class, of which they are a larger share."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    rows, columns = np.nonzero(wrong)
    support = matrix.sum(1)
    order = np.lexsort((support[rows], -wrong[rows, columns]))[:limit]
    return tuple(
        Confusion(names[rows[i]], names[columns[i]], int(wrong[rows[i], columns[i]]), int(support[rows[i]]))
        for i in order
    )


def reliability(truth: Truth, scores: ScoreTable, bins: int = CALIBRATION_BINS) -> tuple[ReliabilityBin, ...]:
    """Group photos by best score into `bins` bins of equal width, lowest first; empty bins are left out."""
    best, right = best_scores(scores), predictions(scores) == truth
    places = _bins_of(best, bins)
    found = []
    for place in np.unique(places).tolist():
        inside = places == place
        accuracy = wilson(int(right[inside].sum()), int(inside.sum()))
        found.append(
            ReliabilityBin(place / bins, (place + 1) / bins, int(inside.sum()), float(best[inside].mean()), accuracy)
        )
    return tuple(found)


def expected_calibration_error(bins: tuple[ReliabilityBin, ...]) -> float | None:
    """Return how far, on average over the photos, a bin's mean score lies from its share of right answers (Naeini et
    al. 2015, Guo et al. 2017); 0 is perfect, None without photos."""
    photos = sum(entry.photos for entry in bins)
    if not photos:
        return None
    return sum(entry.photos * abs(entry.score - entry.accuracy.value) for entry in bins) / photos


def calibration_error_by_chance(scores: ScoreTable, bins: int = CALIBRATION_BINS) -> float | None:
    """Return the calibration error to be expected of a model whose scores are exactly right; None without photos."""
    # Not 0: of few photos the share that is right lies beside its expectation. Each bin's deviation taken as normal.
    if not len(scores):
        return None
    best = best_scores(scores)
    variances = np.bincount(_bins_of(best, bins), weights=best * (1 - best))
    return float(np.sqrt(2 / np.pi * variances).sum() / len(best))


def _bins_of(best: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    places: NDArray[np.int64] = np.clip(np.ceil(best * bins).astype(np.int64) - 1, 0, bins - 1)
    return places


def overconfidence(bins: tuple[ReliabilityBin, ...]) -> float | None:
    """Return the mean best score minus the share of right answers: above 0 the scores promise too much."""
    photos = sum(entry.photos for entry in bins)
    if not photos:
        return None
    return sum(entry.photos * (entry.score - entry.accuracy.value) for entry in bins) / photos

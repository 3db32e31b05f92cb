"""How things fare that belong to no class: an estimate without a photo of any, by leaving out one class at a
time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.postprocess import softmax
from trainer.learning.head import Examples, Head, fit_linear, sample
from trainer.measuring.scaling import best_temperature
from trainer.measuring.threshold import choose_threshold

MAX_CLASSES = 12  # a head is fitted for each; beyond, the first twelve stand for all
MAX_ROWS = 6000  # training photos that each of these heads is fitted on
MIN_CLASSES = 3
MOST_CLASSES = 50  # with more, each of these heads takes minutes, and one class less changes little


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One class, by number, that a head never saw: how many of its validation photos it was shown, and the
    share of them that it called unknown."""

    label: int
    photos: int
    unknown: float


def leave_one_class_out(
    train: Examples, val: tuple[NDArray[np.float32], NDArray[np.int64]], head: Head, precision: float
) -> tuple[LeftOut, ...]:
    """For each class a head on frozen features without it, with its own temperature and threshold for
    `precision`. Empty with fewer than three classes or more than fifty. An estimate: the
    final network differs, and a class of yours is nearer to the others than a fox among them may be."""
    classes = head.kernel.shape[1]
    if not MIN_CLASSES <= classes <= MOST_CLASSES or precision <= 0:
        return ()
    some = sample(train, MAX_ROWS)
    start = np.vstack([head.kernel, head.bias[None]])
    rows = []
    for label in range(min(classes, MAX_CLASSES)):
        inside = [c for c in range(classes) if c != label]
        rows.append(_without(label, inside, some, val, start[:, inside], head.strength, precision))
    return tuple(rows)


def _without(
    label: int,
    inside: list[int],
    train: Examples,
    val: tuple[NDArray[np.float32], NDArray[np.int64]],
    start: NDArray[np.float64],
    strength: float,
    precision: float,
) -> LeftOut:
    kept = train.labels != label
    numbers = np.full(max(train.labels.max(), val[1].max()) + 1, -1)
    numbers[inside] = np.arange(len(inside))
    subset = Examples(train.features[:][kept], numbers[train.labels[kept]], train.weights[kept])
    table = fit_linear(subset, len(inside), strength, start.reshape(-1)).reshape(-1, len(inside))
    logits = (val[0] @ table[:-1] + table[-1]).astype(np.float32)
    known = val[1] != label
    truth = numbers[val[1][known]]
    scores: NDArray[np.float32] = softmax(logits / np.float32(best_temperature(logits[known], truth)))
    threshold = choose_threshold(scores[known], truth, precision).threshold
    best = scores[~known].max(axis=1)
    return LeftOut(label, len(best), float((best < threshold).mean()))

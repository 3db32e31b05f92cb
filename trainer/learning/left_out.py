"""Estimate how things fare that belong to no class, without a photo of any: leave out one class at a time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.postprocess import softmax
from trainer.learning.head import Examples, Head, fit_linear, sample
from trainer.measuring.scaling import best_temperature
from trainer.measuring.threshold import choose_threshold

# A head is fitted for each class; beyond these, the first twelve stand for all.
MAX_CLASSES = 12
MAX_ROWS = 6000  # training photos that each of these heads is fitted on
MIN_CLASSES = 3
# With more, each of these heads takes minutes, and one class less changes little.
MOST_CLASSES = 50


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How photos of one class fared with a head that never saw that class.

    name: the class.
    photos: its validation photos.
    unknown: the share of them that were called unknown.
    mistaken: the share that got the name of another class.
    """

    name: str
    photos: int
    unknown: float
    mistaken: float

    @classmethod
    def of(cls, name: str, photos: int, unknown: float) -> "LeftOut":
        """Return the record of a class: what is not called unknown is mistaken."""
        return cls(name, photos, unknown, 1 - unknown)


def leave_one_class_out(
    train: Examples,
    val: tuple[NDArray[np.float32], NDArray[np.int64]],
    head: Head,
    precision: float,
    names: tuple[str, ...],
) -> tuple[LeftOut, ...]:
    """Fit a head on frozen features without each class in turn, with its own temperature and threshold for
    `precision`, and show it that class. Empty with fewer than three classes or more than fifty."""
    # An estimate: the final network differs, and a class of yours is nearer to the others than a fox among them may be.
    classes = head.kernel.shape[1]
    if not MIN_CLASSES <= classes <= MOST_CLASSES or precision <= 0:
        return ()
    some = sample(train, MAX_ROWS)
    start = np.vstack([head.kernel, head.bias[None]])
    rows = []
    for label in range(min(classes, MAX_CLASSES)):
        inside = [c for c in range(classes) if c != label]
        photos, unknown = _without(label, inside, some, val, start[:, inside], head.strength, precision)
        rows.append(LeftOut.of(names[label], photos, unknown))
    return tuple(rows)


def _without(
    label: int,
    inside: list[int],
    train: Examples,
    val: tuple[NDArray[np.float32], NDArray[np.int64]],
    start: NDArray[np.float64],
    strength: float,
    precision: float,
) -> tuple[int, float]:
    """Return how many photos `label` has in `val`, and the share that a head of the classes `inside` calls unknown."""
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
    return len(best), float((best < threshold).mean())

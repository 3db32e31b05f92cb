"""Put points into groups of near ones, and everything in an order in which neighbours are alike. NumPy alone."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
Indices = NDArray[np.int64]

_ROUNDS = 25
_AXES = 32
# Centres are chosen among so many, and so many are compared with them at once.
_SAMPLE, _BLOCK = 8192, 4096
# Neighbour by neighbour takes the square of the number; larger groups lie along their longest axis.
_MOST_CHAINED = 2000


def heaps(points: Points, wanted: int, seed: int = 0) -> list[Indices]:
    """Return the members of each group, int64: groups and members in an order in which neighbours are alike.

    points: float32 (pictures, features). wanted: how many groups at most."""
    dice = np.random.default_rng(seed)
    axes = _principal(points, dice)
    numbers, centres = _kmeans(axes, min(wanted, len(points)), dice)
    order = [centre for centre in _chain(centres) if (numbers == centre).any()]
    members = [np.flatnonzero(numbers == centre) for centre in order]
    return [some[_chain(axes[some])] for some in members]


def _principal(points: Points, dice: np.random.Generator) -> Points:
    """Return the points along their longest axes, float32 (pictures, at most _AXES)."""
    sample = points if len(points) <= _SAMPLE else points[dice.choice(len(points), _SAMPLE, replace=False)]
    middle = sample.mean(axis=0)
    _, _, axes = np.linalg.svd(sample - middle, full_matrices=False)
    found: Points = (points - middle) @ axes[:_AXES].T
    return found


def _kmeans(points: Points, wanted: int, dice: np.random.Generator) -> tuple[Indices, Points]:
    """Return the group of each point, int64, and the groups' centres."""
    sample = points if len(points) <= _SAMPLE else points[dice.choice(len(points), _SAMPLE, replace=False)]
    centres = _first_centres(sample, wanted, dice)
    for _ in range(_ROUNDS):
        numbers = _nearest(sample, centres)
        counts = np.bincount(numbers, minlength=len(centres))
        sums = np.zeros_like(centres)
        np.add.at(sums, numbers, sample)
        moved = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centres).astype(np.float32)
        if np.allclose(moved, centres, atol=1e-5):
            break
        centres = moved
    return _nearest(points, centres), centres


def _first_centres(sample: Points, wanted: int, dice: np.random.Generator) -> Points:
    """Choose points that are far from each other, as k-means++ does."""
    chosen = [int(dice.integers(len(sample)))]
    far = _squares(sample, sample[chosen])[:, 0]
    while len(chosen) < wanted and far.sum() > 0:
        chosen.append(int(dice.choice(len(sample), p=far / far.sum())))
        far = np.minimum(far, _squares(sample, sample[chosen[-1:]])[:, 0])
    return sample[chosen].copy()


def _nearest(points: Points, centres: Points) -> Indices:
    blocks = [_squares(points[i : i + _BLOCK], centres).argmin(axis=1) for i in range(0, len(points), _BLOCK)]
    return np.concatenate(blocks).astype(np.int64)


def _squares(points: Points, others: Points) -> NDArray[np.float64]:
    """Return squared distances, float64 (points, others), 0 or more."""
    squares = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None] - 2 * points @ others.T
    found: NDArray[np.float64] = np.maximum(squares, 0).astype(np.float64)
    return found


def _chain(points: Points) -> Indices:
    """Return an order in which each point is followed by the nearest that is left."""
    if len(points) > _MOST_CHAINED:
        return np.argsort(points[:, 0], kind="stable")
    left = np.ones(len(points), bool)
    order = [int(points[:, 0].argmin())]
    while True:
        left[order[-1]] = False
        if not left.any():
            return np.array(order, np.int64)
        far = np.where(left, _squares(points, points[order[-1:]])[:, 0], np.inf)
        order.append(int(far.argmin()))

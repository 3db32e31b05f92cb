"""Group points by HDBSCAN: dense regions are groups, and what lies between them is not sure."""

import numpy as np
from numpy.typing import NDArray

from trainer.grouping.methods.kmeans import grow, kmeans

UNSURE = -1
# Its time grows with the square of the number of points: 20,000 take a minute.
_SAMPLE = 20_000
_FEWEST = 5
FEWEST_DENSE = 2 * _FEWEST  # points: less, and no place is dense
# Points that define how dense a place is.
_AROUND = 5


def hdbscan(points: NDArray[np.float32], groups: int | None, seed: int) -> NDArray[np.int64]:
    """Return the group of each point, int64 (points,), from 0 on, or UNSURE.

    groups: how many groups at most; None for as many as there are. Of more than 20,000 points a sample is grouped, and
    the others go with the nearest of it.
    """
    if len(points) < FEWEST_DENSE:
        return np.full(len(points), UNSURE, np.int64)
    chosen = np.arange(len(points))
    if len(points) > _SAMPLE:
        chosen = np.sort(np.random.default_rng(seed).choice(len(points), _SAMPLE, replace=False))
    sample = points[chosen]
    found = _fit(sample)
    if groups is not None and found.max() >= groups:
        found = _joined(sample, found, groups, seed)
    return found if len(chosen) == len(points) else found[_nearest(points, sample)]


def _fit(points: NDArray[np.float32]) -> NDArray[np.int64]:
    from sklearn.cluster import HDBSCAN

    method = HDBSCAN(min_cluster_size=_FEWEST, min_samples=_AROUND, copy=True)
    return np.asarray(method.fit_predict(points), np.int64)


def _joined(points: NDArray[np.float32], found: NDArray[np.int64], groups: int, seed: int) -> NDArray[np.int64]:
    """Join the groups of `found` whose centres are near, until there are `groups`."""
    centres = np.stack([points[found == group].mean(axis=0) for group in range(int(found.max()) + 1)])
    return np.where(found == UNSURE, UNSURE, kmeans(centres, groups, grow(centres, seed))[found])


def _nearest(points: NDArray[np.float32], sample: NDArray[np.float32]) -> NDArray[np.int64]:
    from sklearn.metrics import pairwise_distances_argmin

    return np.asarray(pairwise_distances_argmin(points, sample), np.int64)

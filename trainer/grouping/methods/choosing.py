"""Choose how many groups there should be."""

import numpy as np
from numpy.typing import NDArray

from trainer.grouping.methods.kmeans import grow, kmeans
from trainer.grouping.methods.silhouette import silhouette

# The number is chosen on so many points at most.
_SAMPLE = 20_000
# Each about a quarter more than the one before: the silhouette changes slowly with the number.
CANDIDATES = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 19, 24, 30, 38, 48, 60)
# Of photos without clear groups the silhouette rises with the number for ever, ever more slowly. More groups are more
# work for a person: the least number that comes so near to the best is taken. Five clear groups stay five.
_NEAR_BEST = 0.9


# Two points for each of two groups.
FEWEST_CHOSEN = 2 * CANDIDATES[0]


def choose_number(points: NDArray[np.float32], seed: int) -> int:
    """Return a number of groups for K-means by the silhouette, from 2 to 60; 1 if there are too few different points.

    points: float32 (points, axes)"""
    if len(points) > _SAMPLE:
        points = points[np.sort(np.random.default_rng(seed).choice(len(points), _SAMPLE, replace=False))]
    most = min(len(points) // 2, len(np.unique(points, axis=0)))
    scores: dict[int, float] = {}
    tree = grow(points, seed)
    for number in CANDIDATES:
        if number <= most:
            scores[number] = silhouette(points, kmeans(points, number, tree), seed) or 0.0
    enough = _NEAR_BEST * max(scores.values(), default=0.0)
    return next((number for number, score in scores.items() if score >= enough), 1)

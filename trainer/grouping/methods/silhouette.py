"""Measure groups without labels."""

import numpy as np
from numpy.typing import NDArray

# Distances between all pairs of so many points take 50 MB. The mean then lies within 0.01 of that of all points.
_SAMPLE = 2_500


def silhouette(points: NDArray[np.float32], groups: NDArray[np.int64], seed: int) -> float | None:
    """Return the mean silhouette, -1 to 1: how much nearer points are to their own group than to the next nearest.

    points: float32 (points, axes). groups: int64 (points,); points with a negative one do not count. Measured on at
    most 2,500 points. None if there are fewer than two groups, or only groups of one."""
    from sklearn.metrics import silhouette_score

    places = np.flatnonzero(groups >= 0)
    if len(places) > _SAMPLE:
        places = np.sort(np.random.default_rng(seed).choice(places, _SAMPLE, replace=False))
    count = len(np.unique(groups[places]))
    if not 2 <= count < len(places):
        return None
    return float(silhouette_score(points[places], groups[places]))

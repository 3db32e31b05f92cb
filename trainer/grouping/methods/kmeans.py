"""Group points by K-means."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
Numbers = NDArray[np.int64]
_STARTS = 10


def kmeans(points: Points, groups: int, seed: int, starts: int = _STARTS) -> Numbers:
    """Return the group of each point, int64 (points,), from 0 on. The same for the same seed.

    points: float32 (points, axes), of which at least `groups` differ"""
    from sklearn.cluster import KMeans

    found = KMeans(groups, n_init=starts, random_state=seed).fit_predict(points)
    return np.unique(found, return_inverse=True)[1].astype(np.int64)

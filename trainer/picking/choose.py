"""Choose photos to label: typical ones of different groups, and uncertain ones that differ from each other.

Both are K-means with as many groups as photos are wanted, and of each group the photo nearest to its centre. For
uncertain ones each photo weighs as the square of how much its class is in doubt, so that most groups form among photos
that the model is unsure of.

How it was chosen: on TrashNet with a linear head on the features of MobileNetV2 0.35, those of photos and their mirror
images averaged; test accuracy of 60, 120 and 240 picked photos, means of eight draws, good to about half a point
(random ones: 62.0, 68.8 and 72.1 %; 1.4 times as many: 65.1, 70.4 and 73.5 %). What the
commands reach: docs/labelling.md.

    nearest to the centre of its group (this one)                67.3   71.7   74.3
    smallest mean distance to its 20 nearest in the group        65.9   70.8   73.6
    from 60 such ones on: doubt as weights                       67.3   71.3   74.2
    the most uncertain alone                                     67.3   69.7   73.2
    BADGE                                                        67.3   69.5   73.7

Doubt squared (this one) instead of doubt, on the features of photos alone, 240 photos: TrashNet 73.7 instead of 72.7 %
(32 draws in three sets: +1.2, +0.4, +1.3), coffee leaves 73.6 instead of 73.2 % (8 draws); 1.4 times as many random
ones: 71.3 and 71.5 %. To take, of the half of each group that is nearest its centre, the photo in most doubt helps on
TrashNet (73.8 %) and harms on coffee leaves (71.8 %).

Steps, TrashNet, 240 photos, a linear head on all of them, features of photos alone, doubt by a head on those before
(16 seeds on its own test photos; 24 other divisions of all its photos; good to half a point): 60, 120, 240: 75.4 and
76.6 %; 60 at a time: 75.8 and 76.7 %; 30, 60, 120, 240: 75.4 and 77.1 %; 1.4 times as many random ones: 74.7 and
76.2 %. Doubt by trainer.picking.carrying, which needs no bundle, is as good: 76.5 % on the other divisions.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from trainer.features.axes import Points
from trainer.features.neighbours import few_threads

Indices = NDArray[np.int64]
# Groups hardly change after so many rounds; thousands of groups would else take hours to settle.
_MOST_ROUNDS = 100


def typical(points: Points, count: int, seed: int, labelled: Indices) -> Indices:
    """Return the indices of up to `count` typical photos, those of the largest groups first.

    points: float32 (photos, axes); labelled: indices of photos that have labels. No group that holds one of them gives
    a photo, so that new photos are unlike them.
    """
    free = np.setdiff1d(np.arange(len(points)), labelled)
    if len(free) <= count:
        return free
    groups, distances = _grouped(points, np.ones(len(points)), count + len(labelled), seed)
    sizes = np.bincount(groups)
    known = np.zeros(len(sizes), bool)
    known[groups[labelled]] = True
    best = [(-sizes[group], int(place)) for group, place in _nearest(groups, distances) if not known[group]]
    return _filled([place for _, place in sorted(best)], free, count)


def uncertain(points: Points, doubts: NDArray[np.float64], count: int, seed: int) -> Indices:
    """Return the indices of up to `count` photos whose class is in doubt and that differ from each other, those in
    most doubt first.

    points: float32 (photos, axes); doubts: (photos,), 0 for a sure answer to 1 for two answers that are as likely.
    """
    every = np.arange(len(points))
    if len(points) <= count:
        return np.argsort(-doubts, kind="stable").astype(np.int64)
    # Not 0: photos without any weight would leave K-means without points.
    groups, distances = _grouped(points, doubts**2 + 1e-6, count, seed)
    best = [place for _, place in _nearest(groups, distances)]
    return _filled(sorted(best, key=lambda place: (-doubts[place], place)), every, count)


def doubts_of(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how much each answer is in doubt, (photos,): 1 less the lead of the best score before the second.

    scores: float32 (photos, classes), at least two classes, 0..1."""
    best = np.sort(scores, axis=1)[:, -2:].astype(np.float64)
    doubts: NDArray[np.float64] = np.clip(1.0 - (best[:, 1] - best[:, 0]), 0.0, 1.0)
    return doubts


def _grouped(
    points: Points, weights: NDArray[np.float64], count: int, seed: int
) -> tuple[Indices, NDArray[np.float64]]:
    """Return the group of each point and its distance to the centre. Of points that are the same, some groups are
    empty."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    count = min(count, len(points))
    means = KMeans(count, n_init=1, max_iter=_MOST_ROUNDS, random_state=seed)
    with warnings.catch_warnings(), few_threads(len(points)):
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different points than groups
        groups = means.fit(points, sample_weight=weights).labels_.astype(np.int64)
    distances = np.linalg.norm(points - means.cluster_centers_[groups], axis=1)
    return groups, distances.astype(np.float64)


def _nearest(groups: Indices, distances: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return each group with the index of its point that is nearest to the centre."""
    order = np.lexsort((distances, groups))
    first = np.flatnonzero(np.r_[True, np.diff(groups[order]) > 0])
    return [(int(groups[place]), int(place)) for place in order[first]]


def _filled(chosen: list[int], allowed: Indices, count: int) -> Indices:
    """Return the first `count` of `chosen`, and others of `allowed` if there are fewer."""
    rest = np.setdiff1d(allowed, chosen)
    return np.concatenate([np.array(chosen, np.int64), rest])[:count]

"""Turn features into points of which near ones are alike: a diffusion map of the photos' nearest neighbours.

Distances between features show which few photos are most alike, and little more: in a thousand dimensions all others
are about equally far. A diffusion map keeps the first and drops the rest. Each photo is tied to its nearest
neighbours, in several views: by its features and by its mirror image's, each scaled in two ways. The coordinates
describe how near walks of some steps along these ties come. Photos that many short ways connect are close, even if
they are no neighbours themselves (R. Coifman and S. Lafon, "Diffusion maps", 2006; each photo's own scale from
L. Zelnik-Manor and P. Perona, "Self-tuning spectral clustering", 2004).

How much each step brings, on three sets of photos: docs/ten-thousand-photos.md#how-good-are-the-groups.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import Features, unit_length
from trainer.features.axes import Points, Scatter
from trainer.features.neighbours import NEIGHBOURS, degrees_of, normalized, ties_of

_STEPS = 3
_AXES = 100
_COMPONENTS = 128
# 0: as they are; 1: each axis has the same spread.
_SCALINGS = (0.35, 0.65)
# Of float32 rows of length 1; photos that differ have variances of 0.001 and more.
_ROUNDING = 1e-10
# Of the widest axis' variance: narrower axes hold what rounding left, and scaling would make that large.
_LEAST_SHARE = 1e-9
# Up to so many points all eigenvectors are computed at once, which needs no iteration that could fail.
_FEW = 500


def principal(features: Features, rows: NDArray[np.int64]) -> list[Points]:
    """Return the square roots of some features along their main axes, scaled in two ways: float32 (rows, axes) each.

    features: float32 (photos, channels), finite; negative ones keep their sign. rows: the photos that count. There are
    at most 128 axes, and each row has length 1."""
    # Square roots, because a few channels that fire strongly would decide alone. The main axes are scaled about half
    # way to equal spread: unscaled the first few decide (backgrounds), at equal spread noise counts as much as they
    # do. Half way is a matter of taste, so there is one view to either side of it.
    scatter = Scatter(features, rows, _levelled)
    main = scatter.main_axes()
    if main.variances[0] <= _ROUNDING:  # all alike
        return [np.zeros((len(rows), 1), np.float32) for _ in _SCALINGS]
    count = min(_COMPONENTS, int(np.count_nonzero(main.variances > _LEAST_SHARE * main.variances[0])))
    points, deviations = scatter.along(main, count), np.sqrt(main.variances[:count]).astype(np.float32)
    return [unit_length(points / deviations**scaling) for scaling in _SCALINGS]


def _levelled(features: Features) -> Features:
    return unit_length(np.sign(features) * np.sqrt(np.abs(features)))


def diffusion(views: Sequence[Points], seed: int) -> Points:
    """Return the diffusion coordinates of points, each row of length 1: float32 (points, axes), at most 100 axes.

    views: float32 (points, axes) each, such as of the photos and of their mirror images. Up to 20 points, which are
    nearly all neighbours of each other, and points that are all alike are returned as the first view has them."""
    count = len(views[0])
    if count <= 2 * NEIGHBOURS or not np.ptp(views[0], axis=0).any():
        return views[0]
    ties = sum(ties_of(points) for points in views)
    degrees = degrees_of(ties)
    values, vectors = _eigenvectors(ties, degrees, min(_AXES, count - 2), seed)
    # From eigenvectors of the symmetric matrix to those of the walk, and to where it is after some steps.
    coordinates = vectors / np.sqrt(degrees)[:, None] * np.maximum(values, 0) ** _STEPS
    return unit_length(coordinates.astype(np.float32))


def _eigenvectors(
    ties: Any, degrees: NDArray[np.float64], count: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the largest eigenvalues of the normalized ties and their vectors, but for the one that is constant."""
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    matrix = normalized(ties, degrees)
    constant = np.sqrt(degrees / degrees.sum())
    if len(degrees) <= _FEW:
        values, vectors = np.linalg.eigh(matrix.toarray() - np.outer(constant, constant))
    else:
        rest = LinearOperator(matrix.shape, lambda x: matrix @ x - constant * (constant @ x), dtype=np.float64)
        start = np.random.default_rng(seed).standard_normal(len(degrees))
        try:
            values, vectors = eigsh(rest, k=count, which="LA", v0=start, tol=1e-6)
        except ArpackNoConvergence as error:  # those that it found are right
            values, vectors = error.eigenvalues, error.eigenvectors
    order = np.argsort(-values, kind="stable")[:count]
    return values[order], vectors[:, order]

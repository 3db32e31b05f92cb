"""Turn features into points of which near ones are alike: a diffusion map of the photos' nearest neighbours.

Distances between features say which few photos are most alike, and little more: in a thousand dimensions all others
are about equally far. A diffusion map keeps the first and drops the rest. Each photo is tied to its nearest
neighbours, in several views: by its features and by its mirror image's, each scaled in two ways. The coordinates
describe how near walks of some steps along these ties come. Photos that many short ways connect lie together, even if
they are no neighbours themselves (R. Coifman and S. Lafon, "Diffusion maps", 2006; each photo's own scale from
L. Zelnik-Manor and P. Perona, "Self-tuning spectral clustering", 2004).

How much each step brings, on three sets of photos: docs/ten-thousand-photos.md#how-good-are-the-groups.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import Features, unit_length

Points = NDArray[np.float32]
_NEIGHBOURS = 10
_SCALE_NEIGHBOUR = 7
_STEPS = 3
_AXES = 100
_COMPONENTS = 128
# 0: as they are; 1: each axis has the same spread.
_SCALINGS = (0.35, 0.65)
_BLOCK = 4096
# Of float32 rows of length 1; photos that differ have variances of 0.001 and more.
_ROUNDING = 1e-10
# Up to so many points all eigenvectors are computed at once, which needs no iteration that could fail.
_FEW = 500


def principal(features: Features) -> list[Points]:
    """Return the square roots of `features` along their main axes, scaled in two ways: float32 (photos, axes) each.

    features: float32 (photos, channels), finite; negative ones keep their sign. They are read in blocks, so that no
    second copy is needed. There are at most 128 axes, and each row has length 1."""
    # Square roots, because a few channels that fire strongly would decide alone. The main axes are scaled about half
    # way to equal spread: unscaled the first few decide (backgrounds), at equal spread noise counts as much as they
    # do. Half way is a matter of taste, so there is one view to either side of it.
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(features), _BLOCK)]
    mean, variances, axes = _main_axes(features, blocks)
    if variances[0] <= _ROUNDING:  # all alike
        return [np.zeros((len(features), 1), np.float32) for _ in _SCALINGS]
    along = [((_levelled(features[block]) - mean) @ axes).astype(np.float32) for block in blocks]
    points, deviations = np.concatenate(along), np.sqrt(variances).astype(np.float32)
    return [unit_length(points / deviations**scaling) for scaling in _SCALINGS]


def _main_axes(
    features: Features, blocks: Sequence[slice]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean of the square roots, and the variances along their main axes and the axes, widest first."""
    count, channels = features.shape
    mean = np.zeros(channels)
    for block in blocks:
        mean += _levelled(features[block]).sum(axis=0, dtype=np.float64) / count
    products = np.zeros((channels, channels))
    for block in blocks:
        centred = _levelled(features[block]) - mean
        products += centred.T @ centred / count
    variances, axes = np.linalg.eigh(products)
    useful = np.flatnonzero(variances > 1e-9 * variances[-1])[::-1][:_COMPONENTS]
    useful = useful if len(useful) else np.array([channels - 1])
    return mean, variances[useful], axes[:, useful]


def _levelled(features: Features) -> Features:
    return unit_length(np.sign(features) * np.sqrt(np.abs(features)))


def diffusion(views: Sequence[Points], seed: int) -> Points:
    """Return the diffusion coordinates of points, each row of length 1: float32 (points, axes), at most 100 axes.

    views: float32 (points, axes) each, such as of the photos and of their mirror images. Up to 20 points, which are
    nearly all neighbours of each other, and points that are all alike are returned as the first view has them."""
    count = len(views[0])
    if count <= 2 * _NEIGHBOURS or not np.ptp(views[0], axis=0).any():
        return views[0]
    ties = sum(_ties(points) for points in views)
    degrees = np.asarray(ties.sum(axis=1)).reshape(-1)
    values, vectors = _eigenvectors(ties, degrees, min(_AXES, count - 2), seed)
    # From eigenvectors of the symmetric matrix to those of the walk, and to where it is after some steps.
    coordinates = vectors / np.sqrt(degrees)[:, None] * np.maximum(values, 0) ** _STEPS
    return unit_length(coordinates.astype(np.float32))


def _ties(points: Points) -> Any:
    """Return a sparse symmetric matrix: how strongly each point is tied to its neighbours, 0 to 1."""
    from scipy.sparse import csr_matrix, identity

    distances, neighbours = nearest_neighbours(points, _NEIGHBOURS)
    scales = distances[:, _SCALE_NEIGHBOUR - 1]
    # A point among copies of itself is at distance 0, and a scale of 0 would tie it to nothing else.
    scales = np.maximum(scales, max(1e-6, 1e-3 * float(np.median(scales))))
    weights = np.exp(-(distances**2) / (scales[:, None] * scales[neighbours]))
    rows = np.repeat(np.arange(len(points)), neighbours.shape[1])
    ties = csr_matrix((weights.reshape(-1), (rows, neighbours.reshape(-1))), (len(points),) * 2)
    # The diagonal keeps a point that is far from all others from having no ties at all.
    return ties.maximum(ties.T) + 1e-6 * identity(len(points), format="csr")


def nearest_neighbours(points: Points, count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the distances and numbers of each point's nearest others, (points, count) each, nearest first."""
    from sklearn.neighbors import NearestNeighbors

    # In many dimensions trees cost more than they save; brute force works in blocks of its own.
    found = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(points).kneighbors()
    return found[0].astype(np.float64), found[1].astype(np.int64)


def _eigenvectors(
    ties: Any, degrees: NDArray[np.float64], count: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the largest eigenvalues of the normalized ties and their vectors, but for the one that is constant."""
    from scipy.sparse import diags
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    root = diags(degrees**-0.5)
    matrix = (root @ ties @ root).tocsr()
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

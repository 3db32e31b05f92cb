"""Find each photo's nearest neighbours, and how strongly it is tied to them."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.features.axes import Points

NEIGHBOURS = 10
# A photo's ties are as long as the way to this neighbour: short if many photos are near (L. Zelnik-Manor and P. Perona,
# "Self-tuning spectral clustering", 2004).
_SCALE_NEIGHBOUR = 7
# Beside other busy processes, threads wait for each other: a second's work took minutes. From so many photos on they
# are worth it.
_MANY = 20_000


def few_threads(photos: int) -> AbstractContextManager[object]:
    """Return a block in which libraries compute on one thread, unless there are many photos."""
    from threadpoolctl import threadpool_limits

    return nullcontext() if photos >= _MANY else threadpool_limits(limits=1)


def nearest_neighbours(points: Points, count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the distances and numbers of each point's nearest others, (points, count) each, nearest first.

    points: float32 (points, axes), more than `count`."""
    from sklearn.neighbors import NearestNeighbors

    # In many dimensions trees cost more than they save; brute force works in blocks of its own. Without an argument a
    # point is not its own neighbour.
    with few_threads(len(points)):
        found = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(points).kneighbors()
    return found[0].astype(np.float64), found[1].astype(np.int64)


def ties_of(points: Points) -> Any:
    """Return a sparse symmetric matrix (points, points): how strongly each is tied to its 10 nearest others, 0 to 1.

    points: float32 (points, axes), two or more; rows of length 1."""
    from scipy.sparse import csr_matrix, identity

    count = min(NEIGHBOURS, len(points) - 1)
    distances, neighbours = nearest_neighbours(points, count)
    scales = distances[:, min(_SCALE_NEIGHBOUR, count) - 1]
    # A point among copies of itself is at distance 0, and a scale of 0 would tie it to nothing else.
    scales = np.maximum(scales, max(1e-6, 1e-3 * float(np.median(scales))))
    weights = np.exp(-(distances**2) / (scales[:, None] * scales[neighbours]))
    rows = np.repeat(np.arange(len(points)), count)
    ties = csr_matrix((weights.reshape(-1), (rows, neighbours.reshape(-1))), (len(points),) * 2)
    # The diagonal keeps a point that is far from all others from having no ties at all.
    return ties.maximum(ties.T) + 1e-6 * identity(len(points), format="csr")


def normalized(ties: Any, degrees: NDArray[np.float64]) -> Any:
    """Return symmetric ties, each divided by the roots of the degrees at its ends: a sparse matrix.

    degrees: the sums of the rows of `ties`, (points,), over 0."""
    from scipy.sparse import diags

    root = diags(degrees**-0.5)
    return (root @ ties @ root).tocsr()


def degrees_of(ties: Any) -> NDArray[np.float64]:
    """Return the sums of the rows of `ties`, float64 (points,)."""
    return np.asarray(ties.sum(axis=1)).reshape(-1)

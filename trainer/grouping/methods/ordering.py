"""Put points into an order in which neighbours are alike."""

import numpy as np
from numpy.typing import NDArray

from trainer.grouping.methods.kmeans import grow, kmeans

# The time for the best order of the leaves grows with the square of their number, and more: 300 take 0.2 s.
_AT_ONCE = 300
_IN_A_CELL = 100


def seriate(points: NDArray[np.float32], seed: int) -> NDArray[np.int64]:
    """Return an order of `points`, float32 (points, axes), in which neighbours are alike: int64 (points,).

    It is that of the leaves of a tree (R. Bar-Joseph and others, "Fast optimal leaf ordering", 2001); many points are
    put into cells, the cells in order, and then each cell's points."""
    if len(points) <= _AT_ONCE:
        return _leaves(points)
    cells = kmeans(points, min(_AT_ONCE, max(2, len(points) // _IN_A_CELL)), grow(points, seed))
    count = int(cells.max()) + 1
    if count == 1:  # all alike
        return np.arange(len(points))
    centres = np.stack([points[cells == cell].mean(axis=0) for cell in range(count)])
    members = (np.flatnonzero(cells == cell) for cell in _leaves(centres))
    return np.concatenate([inside[seriate(points[inside], seed)] for inside in members])


def _leaves(points: NDArray[np.float32]) -> NDArray[np.int64]:
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(points) < 3:
        return np.arange(len(points))
    return np.asarray(leaves_list(linkage(points, "average", optimal_ordering=True)), np.int64)

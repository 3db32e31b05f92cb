"""Carry labels along the ties between nearest neighbours.

Label spreading (D. Zhou et al., "Learning with local and global consistency", 2004): each photo takes a share of the
labels of those that it is tied to, again and again. On TrashNet, with 120 picked labels, a larger share than 0.8 or 20
neighbours made up to five in a hundred more labels wrong.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import unit_length
from trainer.picking.space import Points, few_threads

Indices = NDArray[np.int64]
Shares = NDArray[np.float32]
NEIGHBOURS = 10
# A photo's ties are as long as the way to this neighbour: where photos are dense, near ones only (L. Zelnik-Manor and
# P. Perona, "Self-tuning spectral clustering", 2004).
_SCALE_NEIGHBOUR = 7
_SHARE = 0.8
# 0.8 to this power is 0.0001: nothing changes any more.
_ROUNDS = 40


def ties_of(points: Points) -> Any:
    """Return a sparse matrix (photos, photos): how strongly each photo is tied to its nearest neighbours, normalized.

    points: float32 (photos, axes), two photos or more."""
    from scipy.sparse import csr_matrix, diags, identity
    from sklearn.neighbors import NearestNeighbors

    count = min(NEIGHBOURS, len(points) - 1)
    # In so many dimensions trees cost more than they save. Without an argument a point is not its own neighbour.
    with few_threads(len(points)):
        search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(unit_length(points))
        distances, neighbours = search.kneighbors()
    scales = distances[:, min(_SCALE_NEIGHBOUR, count) - 1]
    # Copies are at distance 0, and a scale of 0 would tie them to nothing else.
    scales = np.maximum(scales, max(1e-6, 1e-3 * float(np.median(scales))))
    weights = np.exp(-(distances**2) / (scales[:, None] * scales[neighbours]))
    rows = np.repeat(np.arange(len(points)), count)
    ties = csr_matrix((weights.reshape(-1), (rows, neighbours.reshape(-1))), (len(points),) * 2)
    # The diagonal keeps a photo that is far from all others from having no ties at all.
    ties = ties.maximum(ties.T) + 1e-6 * identity(len(points), format="csr")
    root = diags(np.asarray(ties.sum(axis=1)).reshape(-1) ** -0.5)
    return (root @ ties @ root).tocsr().astype(np.float32)


def shares_of(ties: Any, labelled: Indices, labels: Indices, classes: int) -> Shares:
    """Return the share of each class in what reaches each photo, float32 (photos, classes). Rows add up to 1, or are 0
    if nothing reaches a photo.

    labelled: indices of the photos that have labels; labels: of those, class numbers."""
    start = np.zeros((ties.shape[0], classes), np.float32)
    start[labelled, labels] = 1
    reached = start.copy()
    for _ in range(_ROUNDS):
        reached = _SHARE * (ties @ reached) + start
    total = reached.sum(axis=1, keepdims=True)
    shares: Shares = np.divide(reached, total, out=np.zeros_like(reached), where=total > 0)
    return shares

"""Carry labels along the ties between nearest neighbours.

Label spreading (D. Zhou et al., "Learning with local and global consistency", 2004): each photo takes a share of the
labels of those that it is tied to, again and again. On TrashNet, with 120 picked labels, a larger share than 0.8 or 20
neighbours made up to five in a hundred more labels wrong.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import unit_length
from trainer.features import neighbours
from trainer.features.axes import Points

Indices = NDArray[np.int64]
Shares = NDArray[np.float32]
_SHARE = 0.8
# 0.8 to this power is 0.0001: nothing changes any more.
_ROUNDS = 40


def ties_of(points: Points) -> Any:
    """Return a sparse matrix (photos, photos): how strongly each photo is tied to its nearest neighbours, normalized.

    points: float32 (photos, axes), two photos or more."""
    ties = neighbours.ties_of(unit_length(points))
    return neighbours.normalized(ties, neighbours.degrees_of(ties)).astype(np.float32)


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

"""Number groups of photos: each photo's number is the index of its group's first member."""

from collections.abc import Hashable, Iterable

import numpy as np
from numpy.typing import NDArray


def numbered(keys: Iterable[Hashable]) -> NDArray[np.int64]:
    """Return int64 (keys,): for each key, the index of the first key that is equal to it."""
    first: dict[Hashable, int] = {}
    return np.fromiter((first.setdefault(key, place) for place, key in enumerate(keys)), dtype=np.int64)


def linked(groups: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `groups` after joining the groups of photos first[i] and second[i] for every i.

    groups: int64 (photos,), each group numbered by any of its members. In the result, int64 (photos,), the number of
    a group is the index of its first member. Takes linear time."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(groups)
    if not count:
        return groups
    ends = np.concatenate([groups, groups[first]]), np.concatenate([np.arange(count), groups[second]])
    graph = coo_array((np.ones(len(ends[0]), np.bool_), ends), shape=(count, count))
    _, part = connected_components(graph, directed=False)
    _, starts, inverse = np.unique(part, return_index=True, return_inverse=True)
    return np.asarray(starts[inverse.reshape(-1)], dtype=np.int64)

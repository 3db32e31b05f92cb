"""Groups of photos as an array of numbers: each photo's is the index of its group's first member."""

from collections.abc import Hashable, Iterable

import numpy as np
from numpy.typing import NDArray


def numbered(keys: Iterable[Hashable]) -> NDArray[np.int64]:
    """Equal keys get equal numbers, that of their first place."""
    first: dict[Hashable, int] = {}
    return np.fromiter((first.setdefault(key, place) for place, key in enumerate(keys)), dtype=np.int64)


def linked(groups: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """`groups`, (photos,), each numbered by a member, after joining the groups of first[i] and second[i] for
    every i. The number of a group is that of its first member. Linear."""
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

"""Near-duplicate photos, found by a difference hash and confirmed on small grey copies.

256-bit dHash, distance at most 12, as TrashNet's copy here was cleaned with (its README). Candidates come from
13 bands: two hashes that differ in 12 bits or fewer agree on at least one band entirely, so nothing need be
compared with everything. Exact copies are always found; other pairs may be missed only where over 1,000
different photos share a band.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import Pixels

HASH_BITS = 256
MAX_DISTANCE = 12
# Mean difference of the 16x16 grey copies after removing each one's mean, in levels of 255: a hash alone
# may take unlike pictures for each other. Of TrashNet's five pairs within 12 bits four pass; with their means
# left in, those four differ by 9 to 18 and the fifth by 39.
MAX_GREY_DIFFERENCE = 16.0
_BANDS = MAX_DISTANCE + 1
# How many neighbours in a band each photo is compared with. Only bands that thousands of photos share are
# larger (flat scenes); there, the next ones in order of brightness are the likeliest.
_WINDOW = 1000


def fingerprint(pixels: Pixels) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """pixels: uint8 (height, width, 3). Returns the hash as 32 bytes and the grey copy, uint8 (256,)."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (17, 16), interpolation=cv2.INTER_AREA)
    bits = (small[:, 1:] > small[:, :-1]).reshape(-1)
    copy = cv2.resize(grey, (16, 16), interpolation=cv2.INTER_AREA)
    return np.packbits(bits), np.asarray(copy, np.uint8).reshape(-1)


def group_duplicates(hashes: NDArray[np.uint8], greys: NDArray[np.uint8]) -> NDArray[np.int64]:
    """hashes: (photos, 32); greys: (photos, 256). Returns (photos,): photos of one group share a number,
    that of their first member."""
    # Exact copies first: a fixed camera at night gives thousands, and all pairs of them are none to search.
    rows, copy_of = np.unique(np.hstack([hashes, greys]), axis=0, return_inverse=True)
    groups = _group_distinct(rows[:, :32], rows[:, 32:])[copy_of.reshape(-1)]
    first = np.full(groups.max(initial=-1) + 1, -1)
    for index, group in enumerate(groups):
        if first[group] < 0:
            first[group] = index
    return np.asarray(first[groups], dtype=np.int64)


def _group_distinct(hashes: NDArray[np.uint8], greys: NDArray[np.uint8]) -> NDArray[np.int64]:
    parent = np.arange(len(hashes))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = int(parent[index])
        return index

    bits = np.unpackbits(hashes, axis=1)
    for band in np.array_split(np.arange(HASH_BITS), _BANDS):
        keys = np.packbits(bits[:, band], axis=1)
        order = np.lexsort((greys.mean(axis=1), *keys.T))
        same = (keys[order][1:] == keys[order][:-1]).all(axis=1)
        for bucket in np.split(order, np.flatnonzero(~same) + 1):
            for first, second in _close_pairs(bucket, hashes, greys):
                a, b = root(first), root(second)
                parent[max(a, b)] = min(a, b)
    return np.array([root(index) for index in range(len(hashes))], dtype=np.int64)


def _close_pairs(
    bucket: NDArray[np.int64], hashes: NDArray[np.uint8], greys: NDArray[np.uint8]
) -> list[tuple[int, int]]:
    pairs = []
    for place in range(len(bucket) - 1):
        index, others = bucket[place], bucket[place + 1 : place + 1 + _WINDOW]
        distance = np.unpackbits(hashes[others] ^ hashes[index], axis=1).sum(axis=1)
        near = others[distance <= MAX_DISTANCE]
        if len(near):
            difference = np.abs(_centred(greys[near]) - _centred(greys[index])).mean(axis=1)
            pairs += [(int(index), int(other)) for other in near[difference <= MAX_GREY_DIFFERENCE]]
    return pairs


def _centred(greys: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Without the overall brightness, which exposure changes from frame to frame."""
    values = greys.astype(np.float32)
    centred: NDArray[np.float32] = values - values.mean(axis=-1, keepdims=True, dtype=np.float32)
    return centred

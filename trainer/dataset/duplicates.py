"""Near-duplicate photos, found by a difference hash and confirmed on small grey copies.

256-bit dHash, distance at most 12, as TrashNet's copy here was cleaned with (its README). The bits are dealt
out to 14 bands: two hashes that differ in 12 bits or fewer agree on at least two bands entirely, so for each
pair of bands only photos with the same values there are compared. What already hangs together is not compared
again, so thousands of frames of one scene cost no more than others. Pairs may be missed only where over 200
different photos share two bands.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import Pixels
from trainer.dataset.components import linked

HASH_BITS = 256
MAX_DISTANCE = 12
# Mean difference of the 16x16 grey copies after removing each one's mean, in levels of 255: a hash alone
# may take unlike pictures for each other. Of TrashNet's five pairs within 12 bits four pass; with their means
# left in, those four differ by 9 to 18 and the fifth by 39.
MAX_GREY_DIFFERENCE = 16.0
# A hash with fewer ones, or fewer zeros, is that of a flat picture: unlike ones agree on most bits. From here
# down both limits shrink, to the following: of 3,000 different discs on plain grounds 2,287 groups come out
# instead of 75, with 99 % of copies saved again at JPEG quality 85 found (2026-11). Enough of them still join up by
# chains: of 100,000 such discs, 90 % are one group.
_DETAILED_BITS = 64
_FLAT_DISTANCE = 4
_FLAT_GREY_DIFFERENCE = 4.0
_SHARED = 2
_BANDS = MAX_DISTANCE + _SHARED
# With how many of those that share two bands a photo is compared. Only flat scenes give more; there, the next
# ones in order of brightness are the likeliest.
_WINDOW = 200
_AT_ONCE = 1 << 20  # pairs compared in one go: some 120 MB


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
    if not len(hashes):
        return np.zeros(0, np.int64)
    # Exact copies first: a fixed camera at night gives thousands.
    prints = np.ascontiguousarray(np.hstack([hashes, greys])).view(f"V{hashes.shape[1] + greys.shape[1]}")
    _, first, copy_of = np.unique(prints.reshape(-1), return_index=True, return_inverse=True)
    groups = _group_distinct(hashes[first], greys[first])
    return linked(np.arange(len(hashes)), np.arange(len(hashes)), first[groups[copy_of.reshape(-1)]])


def similar(
    hashes: NDArray[np.uint8], greys: NDArray[np.uint8], one: NDArray[np.int64], other: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Are photos one[i] and other[i] near-duplicates? hashes: (photos, 32); greys: (photos, 256)."""
    near = np.zeros(len(one), np.bool_)
    for start in range(0, len(one), _AT_ONCE):
        a, b = one[start : start + _AT_ONCE], other[start : start + _AT_ONCE]
        apart = distances(hashes, a, b)
        close = np.flatnonzero(apart <= MAX_DISTANCE)
        a, b = a[close], b[close]
        detail = np.minimum(_detail(hashes[a]), _detail(hashes[b]))
        within = apart[close] <= _FLAT_DISTANCE + (MAX_DISTANCE - _FLAT_DISTANCE) * detail
        near[start + close] = within & _look_alike(greys[a], greys[b], detail)
    return near


def distances(hashes: NDArray[np.uint8], one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many bits differ between hashes[one[i]] and hashes[other[i]]: (pairs,)."""
    words = np.ascontiguousarray(hashes).view(np.uint16)
    return np.asarray(_ONES[words[one] ^ words[other]].sum(axis=1), dtype=np.int64)


_ONES = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)


def _detail(hashes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How much the hashes, (pairs, 32), can tell apart: 0 (all bits alike) to 1."""
    ones = _ONES[np.ascontiguousarray(hashes).view(np.uint16)].sum(axis=1, dtype=np.int64)
    return np.asarray(np.minimum(1, np.minimum(ones, HASH_BITS - ones) / _DETAILED_BITS))


def _look_alike(one: NDArray[np.uint8], other: NDArray[np.uint8], detail: NDArray[np.float64]) -> NDArray[np.bool_]:
    difference = np.abs(_centred(one) - _centred(other)).mean(axis=1)
    # Where there is little else to see, brightness is what a picture shows.
    exposure = np.abs(one.mean(axis=1) - other.mean(axis=1))
    limit = _FLAT_GREY_DIFFERENCE + (MAX_GREY_DIFFERENCE - _FLAT_GREY_DIFFERENCE) * detail
    return np.asarray((difference <= limit) & ((detail == 1) | (exposure <= MAX_GREY_DIFFERENCE)))


def _centred(greys: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Without the overall brightness, which exposure changes from frame to frame."""
    values = greys.astype(np.float32)
    centred: NDArray[np.float32] = values - values.mean(axis=-1, keepdims=True, dtype=np.float32)
    return centred


def _group_distinct(hashes: NDArray[np.uint8], greys: NDArray[np.uint8]) -> NDArray[np.int64]:
    groups = np.arange(len(hashes))
    brightness = greys.mean(axis=1)
    bands = _bands(hashes)
    for one, other in combinations(range(_BANDS), _SHARED):
        order, starts = _buckets(bands[one] << np.uint64(20) | bands[other], brightness)
        # Two photos may share many bands: they are compared at the first two.
        earlier = [band for number, band in enumerate(bands[:other]) if number != one]
        groups = _join_buckets(order, starts, earlier, groups, hashes, greys)
    return groups


def _bands(hashes: NDArray[np.uint8]) -> list[NDArray[np.uint64]]:
    """Up to 19 bits each, dealt out like cards: neighbouring bits of a smooth picture say the same."""
    bits = np.unpackbits(hashes, axis=1)
    return [
        bits[:, band::_BANDS] @ (np.uint64(1) << np.arange(len(range(band, HASH_BITS, _BANDS)), dtype=np.uint64))
        for band in range(_BANDS)
    ]


def _buckets(key: NDArray[np.uint64], brightness: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The photos that share their key with another, ordered by key and brightness, and where each key starts."""
    order = np.lexsort((brightness, key))
    new = np.r_[True, key[order][1:] != key[order][:-1], True]
    order = order[~(new[1:] & new[:-1])]
    return order, np.flatnonzero(np.r_[True, key[order][1:] != key[order][:-1]][: len(order)])


def _join_buckets(
    order: NDArray[np.int64],
    starts: NDArray[np.int64],
    earlier: Sequence[NDArray[np.uint64]],
    groups: NDArray[np.int64],
    hashes: NDArray[np.uint8],
    greys: NDArray[np.uint8],
) -> NDArray[np.int64]:
    """Join near-duplicates of one bucket: neighbours in `order` first, then those two apart, four, and so on."""
    sizes = np.diff(np.r_[starts, len(order)])
    far = 0
    while far < min(_WINDOW, sizes.max(initial=0) - 1):
        # Only buckets that reach so far, and in which not all hang together already.
        low, high = (extreme.reduceat(groups[order], starts) for extreme in (np.minimum, np.maximum))
        ends = np.repeat(np.where(low < high, starts + sizes, 0), sizes)
        near, far = far, min(_WINDOW, max(1, 2 * far))
        found = []
        for one, other in _candidates(order, ends, range(near + 1, far + 1), groups, earlier):
            close = similar(hashes, greys, one, other)
            found.append(np.stack([one[close], other[close]]))
        if any(pairs.size for pairs in found):
            groups = linked(groups, *np.hstack(found))
    return groups


def _candidates(
    order: NDArray[np.int64],
    ends: NDArray[np.int64],
    offsets: range,
    groups: NDArray[np.int64],
    earlier: Sequence[NDArray[np.uint64]],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each offset, the pairs so far apart in `order` that are in one bucket, but neither in one group nor
    compared before."""
    places = np.flatnonzero(ends > np.arange(len(order)) + offsets.start)
    for offset in offsets:
        places = places[places + offset < ends[places]]
        one, other = order[places], order[places + offset]
        for values in (groups, *earlier):
            apart = values[one] != values[other]
            one, other = one[apart], other[apart]
        if len(one):
            yield one, other

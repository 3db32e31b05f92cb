"""Find near-duplicate photos by a difference hash, and confirm them on small grey copies.

The hash is a 256-bit dHash, and the largest distance is 12 bits, as in the cleaning of TrashNet's copy here (its
README). The bits are divided into 14 bands. Two hashes that differ in at most 12 bits agree on at least two whole
bands, so for each pair of bands only photos with equal values in both are compared. Photos that are already in one
group are not compared again, so thousands of frames of one scene cost no more than other photos. Pairs can be missed
only if over 200 different photos share two bands.
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
# Mean difference of the 16x16 grey copies after removing each one's mean, in levels of 255. It is needed because
# different pictures can have similar hashes. Of TrashNet's five pairs within 12 bits four pass; with their means left
# in, those four differ by 9 to 18 and the fifth by 39.
MAX_GREY_DIFFERENCE = 16.0
# A hash with fewer ones, or fewer zeros, than this belongs to a flat picture, and the hashes of different flat
# pictures agree on most bits. Below it both limits shrink linearly, to the two that follow. Effect (2026-11): 3,000
# different discs on plain grounds form 2,287 groups instead of 75, and 99 % of copies saved again at JPEG quality 85
# are still found. Chains remain: of 100,000 such discs, 90 % are one group.
_DETAILED_BITS = 64
_FLAT_DISTANCE = 4
_FLAT_GREY_DIFFERENCE = 4.0
_SHARED = 2
_BANDS = MAX_DISTANCE + _SHARED
# Among the photos that share two bands, each is compared with at most so many. Only flat scenes exceed this; the
# photos of the most similar brightness are then the most likely near-duplicates.
_WINDOW = 200
_AT_ONCE = 1 << 20  # pairs compared at once: some 120 MB


def fingerprint(pixels: Pixels) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the hash, uint8 (32,), and the 16x16 grey copy, uint8 (256,), of `pixels`, uint8 (height, width, 3).

    The channel order must be the same for all photos that are compared."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (17, 16), interpolation=cv2.INTER_AREA)
    bits = (small[:, 1:] > small[:, :-1]).reshape(-1)
    copy = cv2.resize(grey, (16, 16), interpolation=cv2.INTER_AREA)
    return np.packbits(bits), np.asarray(copy, np.uint8).reshape(-1)


def group_duplicates(hashes: NDArray[np.uint8], greys: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return int64 (photos,): near-duplicates share a number, the index of their group's first member.

    hashes: uint8 (photos, 32); greys: uint8 (photos, 256)."""
    if not len(hashes):
        return np.zeros(0, np.int64)
    # Exact copies are grouped first, because a fixed camera at night produces thousands of them.
    prints = np.ascontiguousarray(np.hstack([hashes, greys])).view(f"V{hashes.shape[1] + greys.shape[1]}")
    _, first, copy_of = np.unique(prints.reshape(-1), return_index=True, return_inverse=True)
    groups = _group_distinct(hashes[first], greys[first])
    return linked(np.arange(len(hashes)), np.arange(len(hashes)), first[groups[copy_of.reshape(-1)]])


def similar(
    hashes: NDArray[np.uint8], greys: NDArray[np.uint8], one: NDArray[np.int64], other: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return bool (pairs,): whether photos one[i] and other[i] are near-duplicates.

    hashes: uint8 (photos, 32); greys: uint8 (photos, 256); one, other: indices, int64 (pairs,)."""
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
    """Return how many bits differ between hashes[one[i]] and hashes[other[i]], int64 (pairs,)."""
    words = np.ascontiguousarray(hashes).view(np.uint16)
    return np.asarray(_ONES[words[one] ^ words[other]].sum(axis=1), dtype=np.int64)


_ONES = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)


def _detail(hashes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return how much detail the hashes, uint8 (pairs, 32), hold: 0 (all bits alike) to 1, float64 (pairs,)."""
    ones = _ONES[np.ascontiguousarray(hashes).view(np.uint16)].sum(axis=1, dtype=np.int64)
    return np.asarray(np.minimum(1, np.minimum(ones, HASH_BITS - ones) / _DETAILED_BITS))


def _look_alike(one: NDArray[np.uint8], other: NDArray[np.uint8], detail: NDArray[np.float64]) -> NDArray[np.bool_]:
    difference = np.abs(_centred(one) - _centred(other)).mean(axis=1)
    # A flat picture shows little else than its brightness, so for those the brightness must agree, too.
    exposure = np.abs(one.mean(axis=1) - other.mean(axis=1))
    limit = _FLAT_GREY_DIFFERENCE + (MAX_GREY_DIFFERENCE - _FLAT_GREY_DIFFERENCE) * detail
    return np.asarray((difference <= limit) & ((detail == 1) | (exposure <= MAX_GREY_DIFFERENCE)))


def _centred(greys: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the grey copies less their mean brightness, float32, because exposure varies from frame to frame."""
    values = greys.astype(np.float32)
    centred: NDArray[np.float32] = values - values.mean(axis=-1, keepdims=True, dtype=np.float32)
    return centred


def _group_distinct(hashes: NDArray[np.uint8], greys: NDArray[np.uint8]) -> NDArray[np.int64]:
    groups = np.arange(len(hashes))
    brightness = greys.mean(axis=1)
    bands = _bands(hashes)
    for one, other in combinations(range(_BANDS), _SHARED):
        order, starts = _buckets(bands[one] << np.uint64(20) | bands[other], brightness)
        # Two photos that share more than two bands are compared only for the first two.
        earlier = [band for number, band in enumerate(bands[:other]) if number != one]
        groups = _join_buckets(order, starts, earlier, groups, hashes, greys)
    return groups


def _bands(hashes: NDArray[np.uint8]) -> list[NDArray[np.uint64]]:
    """Return the bands of all hashes, uint64 (photos,) each, of up to 19 bits."""
    # Band b takes bits b, b + 14, b + 28, ...: neighbouring bits of a smooth picture are alike, and a band of
    # neighbours would hold little information.
    bits = np.unpackbits(hashes, axis=1)
    return [
        bits[:, band::_BANDS] @ (np.uint64(1) << np.arange(len(range(band, HASH_BITS, _BANDS)), dtype=np.uint64))
        for band in range(_BANDS)
    ]


def _buckets(key: NDArray[np.uint64], brightness: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the photos that share their key with another, ordered by key and brightness, and each key's start.

    A start is an index into the first array."""
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
    """Return `groups` after joining near-duplicates of each bucket.

    Neighbours in `order` are compared first, then photos that are up to 2 places apart, then 4, and so on."""
    sizes = np.diff(np.r_[starts, len(order)])
    far = 0
    while far < min(_WINDOW, sizes.max(initial=0) - 1):
        # Skip buckets that are too small for this distance, or whose photos are all in one group already.
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
    """Yield, for each offset, the pairs at that distance in `order` that are still to be compared.

    Both photos are in one bucket, but not in one group, and they agree on no band of `earlier`."""
    places = np.flatnonzero(ends > np.arange(len(order)) + offsets.start)
    for offset in offsets:
        places = places[places + offset < ends[places]]
        one, other = order[places], order[places + offset]
        for values in (groups, *earlier):
            apart = values[one] != values[other]
            one, other = one[apart], other[apart]
        if len(one):
            yield one, other

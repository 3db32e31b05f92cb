"""Use the times of photos: which are one burst, and which one visit."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.components import linked
from trainer.dataset.duplicates import distances
from trainer.dataset.inspection import PhotoRecord

# Cameras take up to ten pictures when something moves, a second apart.
BURST_S = 10.0
# As trainer.check.recordings measured for one scene in which something moves: bits of the hashes, and correlation.
_MOST_BITS = 60
_LEAST_CORRELATION = 0.8
# More photos that share a moment than this come from a camera whose clock was never set.
_SHARED_MOMENT = 20


def bursts(
    records: Sequence[PhotoRecord], hashes: NDArray[np.uint8], greys: NDArray[np.uint8], groups: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return `groups`, int64 (photos,), after joining photos of one burst; a number is that of the first member.

    A burst is what one camera took of one scene within BURST_S of the first picture, each picture like the one before
    it. It ends with that time: frames of a recording are no burst of an hour.

    hashes, greys: uint8 (photos, 32) and (photos, 256)"""
    pairs: list[tuple[int, int]] = []
    for taken in _by_camera(records):
        begun_s = -np.inf
        for place, (moment_s, photo) in enumerate(taken):
            if moment_s - begun_s > BURST_S:
                begun_s = moment_s
            else:
                pairs.append((taken[place - 1][1], photo))
    if not pairs:
        return groups
    one, other = np.array(pairs, np.int64).T
    alike = _one_scene(hashes, greys, one, other)
    return linked(groups, one[alike], other[alike])


def visits(records: Sequence[PhotoRecord], gap_s: float) -> NDArray[np.int64]:
    """Return the visit of each photo, int64 (photos,), from 1 on; 0 if its time is not known.

    A visit ends when its camera takes no picture for more than `gap_s` seconds."""
    found = np.zeros(len(records), np.int64)
    number = 0
    for taken in _by_camera(records):
        before_s = -np.inf
        for moment_s, photo in taken:
            number += moment_s - before_s > gap_s
            found[photo], before_s = number, moment_s
    return found


def _by_camera(records: Sequence[PhotoRecord]) -> Iterator[list[tuple[float, int]]]:
    """Yield, for each camera, its moments and photos in the order of time, if its clock can be trusted."""
    by_camera: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for photo, record in enumerate(records):
        if record.captured_s is not None:
            by_camera[record.camera].append((record.captured_s, photo))
    for taken in by_camera.values():
        often = Counter(moment_s for moment_s, _ in taken)
        yield sorted(pair for pair in taken if often[pair[0]] <= _SHARED_MOMENT)


def _one_scene(
    hashes: NDArray[np.uint8], greys: NDArray[np.uint8], one: NDArray[np.int64], other: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return whether photos one[i] and other[i] show one scene, in which things may have moved, bool (pairs,)."""
    a, b = (greys[side].astype(np.float32) for side in (one, other))
    a, b = (grey - grey.mean(axis=1, keepdims=True) for grey in (a, b))
    norms = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    close = distances(hashes, one, other) <= _MOST_BITS
    return np.asarray(close & ((a * b).sum(axis=1) >= _LEAST_CORRELATION * norms))

"""Find recordings, or photos of one visit, that are spread over several splits.

The evidence is the times in EXIF data, numbered names, or sub-folders.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from edge.images import readable_name
from trainer.check.findings import MAX_EXAMPLES, Evidence, Finding
from trainer.dataset.duplicates import distances
from trainer.pages.words import counted

# (most bits that differ, least correlation of the grey copies, fewest photos in a row). Numbered names alone prove
# nothing, because many collections are numbered from end to end: neighbours must also look alike, several times in a
# row. TrashNet with its original names is such a collection, of single objects on one white board. Up to five
# different objects in a row pass the first measure there, and up to three pass the second.
_LOOSE, _TIGHT = (60, 0.8, 8), (30, 0.9, 5)
# Two shots of one object, or a series, are closer in time than this: setting up another object takes longer.
CLOSE_S = 10.0
TIMED_RUN = 3
# If more photos than this share a moment, the camera's clock was never set.
_SHARED_MOMENT = 20
_SAMPLE = 30
_NUMBERED = re.compile(r"(.*?)(\d{1,15})\D*")

_Runs = list[NDArray[np.int64]]


def recording_findings(evidence: Evidence, *, grouped: bool) -> Iterator[Finding]:
    """Yield the findings about recordings. grouped: whether the user gave --group-by."""
    runs = {
        "by the times in their EXIF data": _spread(evidence, timed_runs(evidence)),
        "by their numbered names and their looks": _spread(evidence, numbered_runs(evidence)),
        "by their sub-folders and their looks": _spread(evidence, _same_folders(evidence)),
    }
    found = [run for several in runs.values() for run in several]
    if found:
        photos = np.unique(np.concatenate(found))
        how = ", ".join(f"{len(several):,} {words}" for words, several in runs.items() if several)
        ways = (
            "Move each recording into one split."
            if evidence.given
            else f"Training can keep them together: {_advice(evidence, photos)}"
        )
        yield Finding(
            kind="recording-across-splits",
            severity="warning",
            title=f"{counted(len(found), 'recording')} ({counted(len(photos), 'photo')}) in more than one split",
            explanation=f"Found {how}. Photos of one visit look alike. If they are used for learning and for testing, "
            f"the figures are better than they will be in the field. {ways}",
            count=len(photos),
            examples=evidence.names(photos),
            pairs=evidence.pairs(_across(evidence, run) for run in found),
        )
    if not grouped and not evidence.given:
        yield from _unused_folders(evidence)


def _unused_folders(evidence: Evidence) -> Iterator[Finding]:
    folders = Counter(name for name in _subfolders(evidence) if name)
    if len(folders) < 3 or 2 * folders.total() < len(evidence.labels):
        return
    yield Finding(
        kind="group-by",
        severity="remark",
        title=f"photos are in {counted(len(folders), 'sub-folder')} of their class folders",
        explanation="If each holds the photos of one visit, --group-by folder keeps them in one split.",
        count=len(folders),
        examples=tuple(readable_name(name) for name in sorted(folders)[:MAX_EXAMPLES]),
    )


def timed_runs(evidence: Evidence) -> _Runs:
    """Return runs of photos by one camera, each taken at most CLOSE_S seconds after the one before.

    A run is an array of photo indices in order of time, int64, of TIMED_RUN or more."""
    records = evidence.photos.records
    by_camera: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for index, record in enumerate(records):
        if record.captured_s is not None:
            by_camera[record.camera].append((record.captured_s, index))
    runs: _Runs = []
    for taken in by_camera.values():
        often = Counter(moment for moment, _ in taken)
        trusted = sorted(pair for pair in taken if often[pair[0]] <= _SHARED_MOMENT)
        moments = np.array([moment for moment, _ in trusted])
        order = np.array([index for _, index in trusted], dtype=np.int64)
        runs += [
            run for run in np.split(order, np.flatnonzero(np.diff(moments) > CLOSE_S) + 1) if len(run) >= TIMED_RUN
        ]
    return runs


def numbered_runs(evidence: Evidence) -> _Runs:
    """Return runs of photos whose names differ only in their last number and that each look like the one before.

    A run is an array of photo indices in order of that number, int64."""
    photos = evidence.photos.listing.photos
    matches = [_NUMBERED.fullmatch(PurePath(photo.path.name).stem) for photo in photos]
    keys = sorted(
        (folder, match.group(1), photo.label, int(match.group(2)), index)
        for index, (photo, match, folder) in enumerate(zip(photos, matches, _subfolders(evidence), strict=True))
        if match
    )
    order = np.array([key[-1] for key in keys], dtype=np.int64)
    series = [key[:3] for key in keys]
    same = np.array([a == b for a, b in pairwise(series)], dtype=np.bool_)
    linked = same & _look_alike(evidence, order[:-1], order[1:], _LOOSE)
    runs = [run for run in np.split(order, np.flatnonzero(~linked) + 1) if len(run) >= _TIGHT[2]]
    return [run for run in runs if len(run) >= _LOOSE[2] or _longest(evidence, run) >= _TIGHT[2]]


def _longest(evidence: Evidence, run: NDArray[np.int64]) -> int:
    """Return how many photos in a row are alike by the tighter measure."""
    close = _look_alike(evidence, run[:-1], run[1:], _TIGHT)
    return int(np.diff(np.flatnonzero(np.r_[True, ~close, True])).max())


def _same_folders(evidence: Evidence) -> _Runs:
    """Return the photos of sub-folders that several splits have under one name, if photos in both look alike."""
    folders: dict[tuple[str, int], list[int]] = defaultdict(list)
    for index, name in enumerate(_subfolders(evidence)):
        if name and evidence.sides[index] >= 0:
            folders[name, int(evidence.labels[index])].append(index)
    runs = []
    for members in folders.values():
        run = np.array(members, dtype=np.int64)
        sides = evidence.sides[run]
        if sides.min() == sides.max():
            continue
        one = _thinned(run[sides == sides.min()])
        other = _thinned(run[sides != sides.min()])
        if _look_alike(evidence, np.repeat(one, len(other)), np.tile(other, len(one)), _TIGHT).any():
            runs.append(run)
    return runs


def _thinned(run: NDArray[np.int64]) -> NDArray[np.int64]:
    return run[:: -(-len(run) // _SAMPLE)]


def _look_alike(
    evidence: Evidence, one: NDArray[np.int64], other: NDArray[np.int64], measure: tuple[int, float, int]
) -> NDArray[np.bool_]:
    """Return for each pair of photos, bool (pairs,), whether they show one scene, in which things may have moved.

    This is looser than for near-duplicates. measure: _LOOSE or _TIGHT."""
    bits, correlation, _ = measure
    close = distances(evidence.photos.hashes, one, other) <= bits
    places = np.flatnonzero(close)
    a, b = (evidence.photos.greys[side[places]].astype(np.float32) for side in (one, other))
    a, b = (grey - grey.mean(axis=1, keepdims=True) for grey in (a, b))
    norms = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    close[places] = (a * b).sum(axis=1) > correlation * norms
    return np.asarray(close)


def _spread(evidence: Evidence, runs: Sequence[NDArray[np.int64]]) -> _Runs:
    """Return the runs that are in more than one split."""
    sides = [evidence.sides[run] for run in runs]
    return [run for run, on in zip(runs, sides, strict=True) if len(np.unique(on[on >= 0])) > 1]


def _across(evidence: Evidence, run: NDArray[np.int64]) -> tuple[int, int]:
    """Return the first two neighbours of `run` that are in different splits."""
    run = run[evidence.sides[run] >= 0]
    place = int(np.flatnonzero(np.diff(evidence.sides[run]))[0])
    return int(run[place]), int(run[place + 1])


def _advice(evidence: Evidence, concerned: NDArray[np.int64]) -> str:
    """Return a sentence on the --group-by that would keep the photos `concerned` together."""
    folders = _subfolders(evidence)
    if 2 * sum(bool(folders[index]) for index in concerned) >= len(concerned):
        return "--group-by folder keeps each sub-folder in one split."
    photos = evidence.photos.listing.photos
    matches = [_NUMBERED.fullmatch(PurePath(photo.path.name).stem) for photo in photos]
    prefixes = Counter(match.group(1) for match in matches if match)
    # If one prefix has more than 30 % of the photos, grouping by it would leave too little to split.
    if prefixes and prefixes.most_common(1)[0][1] <= 0.3 * len(photos) and all(matches[i] for i in concerned):
        return r"--group-by 'name:^(.*?)\d+\D*$' keeps photos in one split whose names differ only in the last number."
    return "write a table with the columns file and visit, and give --group-by csv:TABLE.csv:visit."


def _subfolders(evidence: Evidence) -> list[str]:
    root = evidence.photos.listing.root
    depth = len(root.parts)
    return [
        "/".join(photo.path.parts[depth + (1 if photo.split is None else 2) : -1])
        for photo in evidence.photos.listing.photos
    ]

"""Find pictures that occur more than once: exact copies by their bytes, near-duplicates by their looks."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from trainer.check.findings import MAX_EXAMPLES, Evidence, Finding, Severity
from trainer.dataset.components import numbered
from trainer.dataset.duplicates import distances
from trainer.pages.words import counted

# Members of a group among which the closest pair is searched: all pairs of a long recording would be too many.
_LOOKED_AT = 40


def exact_groups(evidence: Evidence) -> NDArray[np.int64]:
    """Return a number for each photo, int64 (photos,): files with the same bytes share one."""
    return numbered(record.sha256 for record in evidence.photos.records)


def conflicting(evidence: Evidence) -> NDArray[np.int64]:
    """Return the sorted indices of the photos that have an exact copy in another class."""
    groups = exact_groups(evidence)
    return np.flatnonzero(_differ(groups, evidence.labels)[groups])


def copy_findings(evidence: Evidence) -> Iterator[Finding]:
    """Yield findings of conflicts, then leaks, then harmless copies, then near-duplicates that are no exact copies."""
    exact = exact_groups(evidence)
    conflicts, leaks = _differ(exact, evidence.labels), _differ(exact, evidence.sides)
    several = np.bincount(exact, minlength=len(exact)) > 1
    if found := _members(exact, conflicts):
        yield _exact(evidence, found, evidence.labels, _CONFLICT)
    if found := _members(exact, leaks):
        yield _exact(evidence, found, evidence.sides, _LEAK)
    if found := _members(exact, several & ~conflicts & ~leaks):
        yield _exact(evidence, found, None, _COPIES)
    yield from _near(evidence, exact, evidence.labels, _NEAR_CONFLICT)
    if evidence.given:
        yield from _near(evidence, exact, evidence.sides, _NEAR_LEAK)


_Words = tuple[str, Severity, str, str]
_CONFLICT: _Words = (
    "label-conflict",
    "problem",
    "filed under several classes",
    "The same file is in two or more classes; at most one can be right. Look at each and remove the wrong ones. "
    "Until then, training leaves all of them out when it makes the splits itself.",
)
_LEAK: _Words = (
    "leak",
    "problem",
    "in more than one split",
    "The same file is used for learning and for testing, so the figures are better than they will be in the field. "
    "Keep each in one split only.",
)
_COPIES: _Words = (
    "exact-copies",
    "warning",
    "several times in one class",
    "Copies teach nothing and count double in the figures. Training keeps them in one split, but it is better to "
    "remove all but one of each.",
)
_NEAR_CONFLICT: _Words = (
    "near-duplicates-across-classes",
    "warning",
    "nearly the same as a photo of another class",
    "Frames of one scene, or one picture saved twice, are in different classes. That is right if something came into "
    "the scene or left it; otherwise one of each pair is in the wrong folder.",
)
_NEAR_LEAK: _Words = (
    "near-duplicates-across-splits",
    "problem",
    "nearly the same as a photo of another split",
    "Frames of one scene are used for learning and for testing, so the figures are better than they will be in the "
    "field. Move each scene into one split; or give the class folders alone, and training keeps such photos together.",
)


def _differ(groups: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each group number, bool (photos,), whether the group's members differ in `values`.

    Members with the value -1 do not count."""
    counted = np.flatnonzero(values >= 0)
    low = np.full(len(groups), np.iinfo(np.int64).max)
    high = np.full(len(groups), -1)
    np.minimum.at(low, groups[counted], values[counted])
    np.maximum.at(high, groups[counted], values[counted])
    return np.asarray(low < high)


def _members(groups: NDArray[np.int64], chosen: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Return the indices of the photos of each group whose number is `chosen`, an array for each group."""
    photos = np.flatnonzero(chosen[groups])
    photos = photos[np.argsort(groups[photos], kind="stable")]
    return [part for part in np.split(photos, np.flatnonzero(np.diff(groups[photos])) + 1) if len(part)]


def _exact(
    evidence: Evidence, found: Sequence[NDArray[np.int64]], values: NDArray[np.int64] | None, words: _Words
) -> Finding:
    kind, severity, what, explanation = words
    # The first member, and the first that differs from it in what matters.
    pairs = [(part[0], part[1] if values is None else part[values[part] != values[part[0]]][0]) for part in found]
    return Finding(
        kind=kind,
        severity=severity,
        title=f"{counted(len(found), 'picture')} {what}",
        explanation=explanation,
        count=sum(map(len, found)),
        examples=evidence.names(np.concatenate(found)),
        pairs=evidence.pairs(pairs),
    )


def _near(evidence: Evidence, exact: NDArray[np.int64], values: NDArray[np.int64], words: _Words) -> Iterator[Finding]:
    groups = _members(evidence.groups, _differ(evidence.groups, values))
    found = [part for part in groups if len(np.unique(exact[part])) > 1]
    pairs = [_closest(evidence, part, exact, values) for part in found[:MAX_EXAMPLES]]
    if not found or not any(pairs):
        return
    kind, severity, what, explanation = words
    count = sum(map(len, found))
    yield Finding(
        kind=kind,
        severity=severity,
        title=f"{counted(len(found), 'scene')} ({counted(count, 'photo')}): {what}",
        explanation=explanation,
        count=count,
        examples=evidence.names(np.concatenate(found)),
        pairs=evidence.pairs(pair for pair in pairs if pair),
    )


def _closest(
    evidence: Evidence, part: NDArray[np.int64], exact: NDArray[np.int64], values: NDArray[np.int64]
) -> tuple[int, int] | None:
    """Return the most similar two photos of group `part` that differ in `values` and are no exact copies."""
    looked_at = [i for value in np.unique(values[part])[:5] for i in part[values[part] == value][: _LOOKED_AT // 5]]
    pairs = np.array(
        [(a, b) for a, b in combinations(looked_at, 2) if values[a] != values[b] and exact[a] != exact[b]], np.int64
    ).reshape(-1, 2)
    if not len(pairs):
        return None
    best = distances(evidence.photos.hashes, pairs[:, 0], pairs[:, 1]).argmin()
    return int(pairs[best, 0]), int(pairs[best, 1])

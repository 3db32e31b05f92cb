"""Find classes that are too small, too unequal, or hard to distinguish by name."""

import unicodedata
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trainer.check.findings import MAX_EXAMPLES, Evidence, Finding
from trainer.dataset.listing import MIN_PHOTOS, SPLITS
from trainer.pages.words import counted

# 15 % of 50 are 8 test photos, each worth 12 points of the class's figure; from 200 on, 30 and 3 points.
FEW_PHOTOS = 50
GOOD_PHOTOS = 200
FEW_TEST_PHOTOS = 8
UNBALANCED = 4.0


def class_findings(evidence: Evidence, refusal: str | None) -> Iterator[Finding]:
    """Yield the findings about classes. refusal: why no splits could be made, or None."""
    listing = evidence.photos.listing
    counts = np.bincount(evidence.labels, minlength=len(listing.classes))
    short = np.flatnonzero(counts < MIN_PHOTOS)
    if len(short):
        yield Finding(
            kind="too-small-class",
            severity="problem",
            title=f"{counted(len(short), 'class', 'classes')} too small to train on",
            explanation=f"Every class needs at least {MIN_PHOTOS} readable photos: two for training, one for "
            "validation and one for the test. Add photos, or remove the folder.",
            count=len(short),
            examples=_sizes(evidence, short, counts),
        )
    elif refusal is not None:
        yield Finding(
            kind="cannot-be-split",
            severity="problem",
            title="the photos cannot be split into training, validation and test",
            explanation=f"{refusal}.",
            count=1,
        )
    yield from _few(evidence, counts)
    yield from _unequal(evidence, counts)
    yield from _alike(evidence)


def _few(evidence: Evidence, counts: NDArray[np.int64]) -> Iterator[Finding]:
    few = (counts >= MIN_PHOTOS) & (counts < FEW_PHOTOS)
    if evidence.given:
        test = np.bincount(evidence.labels[evidence.sides == SPLITS.index("test")], minlength=len(counts))
        few |= (counts >= MIN_PHOTOS) & (test < FEW_TEST_PHOTOS)
    if not few.any():
        return
    chosen = np.flatnonzero(few)
    yield Finding(
        kind="few-photos",
        severity="warning",
        title=f"{counted(len(chosen), 'class', 'classes')} with few photos",
        explanation=f"With under {FEW_PHOTOS} photos, a class has fewer than {FEW_TEST_PHOTOS} in the test: a single "
        f"right or wrong photo moves its figure by over ten points. From about {GOOD_PHOTOS} photos of different "
        "scenes on, the figures are reliable. Add photos, or read the figures of these classes with care.",
        count=len(chosen),
        examples=_sizes(evidence, chosen[np.argsort(counts[chosen], kind="stable")], counts),
    )


def _unequal(evidence: Evidence, counts: NDArray[np.int64]) -> Iterator[Finding]:
    there = np.flatnonzero(counts)
    if not len(there):
        return
    small, large = there[counts[there].argmin()], there[counts[there].argmax()]
    factor = counts[large] / counts[small]
    if factor < UNBALANCED:
        return
    names = evidence.photos.listing.classes
    yield Finding(
        kind="unbalanced-classes",
        severity="warning",
        title=f"the largest class has {factor:.0f} times as many photos as the smallest",
        explanation=f"{names[large]!r} has {counts[large]:,} photos, {names[small]!r} has {counts[small]:,}. When it "
        "is unsure, the model prefers the class that it saw most. Add photos of the small classes if you can, and "
        "look at the figures of each class, not at the overall one.",
        count=len(there),
        examples=_sizes(evidence, there[np.argsort(counts[there], kind="stable")], counts),
    )


def _alike(evidence: Evidence) -> Iterator[Finding]:
    seen: dict[str, list[str]] = {}
    for name in evidence.photos.listing.classes:
        key = "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())
        seen.setdefault(key or name, []).append(name)
    alike = [names for names in seen.values() if len(names) > 1]
    if alike:
        yield Finding(
            kind="class-names-alike",
            severity="warning",
            title=f"{counted(len(alike), 'class name is', 'class names are')} written in more than one way",
            explanation="Names that differ only in capitals, spaces or punctuation are different classes to the "
            "model. If they mean the same, put their photos into one folder.",
            count=len(alike),
            examples=tuple(" / ".join(repr(name) for name in names) for names in alike[:MAX_EXAMPLES]),
        )


def _sizes(
    evidence: Evidence,
    chosen: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> tuple[str, ...]:
    names = evidence.photos.listing.classes
    return tuple(f"{names[label]}: {counted(int(counts[label]), 'photo')}" for label in chosen[:MAX_EXAMPLES])

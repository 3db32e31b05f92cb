"""The records of the dataset check: its findings, and the evidence from which they are made."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.images import readable_name
from trainer.dataset.listing import SPLITS, Split
from trainer.dataset.photos import Photos

Severity = Literal["problem", "warning", "remark"]
SEVERITIES: tuple[Severity, ...] = ("problem", "warning", "remark")
MAX_EXAMPLES = 20


class Place(msgspec.Struct, frozen=True):
    """A photo: its file below the folder that was checked, its class, and its split, if it is in one."""

    file: str
    label: str
    split: Split | None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the user should know about the photos.

    kind: a fixed word, for scripts.
    count: how many photos are concerned, or classes if the title counts classes.
    examples: up to 20 files, or remarks about files.
    pairs: up to 20 pairs of photos to show side by side.
    """

    kind: str
    severity: Severity
    title: str
    explanation: str
    count: int
    examples: tuple[str, ...] = ()
    pairs: tuple[tuple[Place, Place], ...] = ()


@dataclass(frozen=True)
class Evidence:
    """The photos that are examined, and what is known about them.

    groups: near-duplicates, int64 (photos,): photos of one group share a number.
    splits: sorted indices of the photos of each split; None if no splits could be made.
    """

    photos: Photos
    groups: NDArray[np.int64]
    splits: dict[Split, NDArray[np.int64]] | None

    @cached_property
    def given(self) -> bool:
        """Whether the folders themselves name the splits."""
        return any(photo.split for photo in self.photos.listing.photos)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The class index of each photo, int64 (photos,)."""
        return self.photos.listing.labels

    @cached_property
    def sides(self) -> NDArray[np.int64]:
        """The split of each photo as an index into SPLITS, -1 for none: int64 (photos,)."""
        sides = np.full(len(self.photos.listing.photos), -1)
        for number, split in enumerate(SPLITS):
            if self.splits is not None:
                sides[self.splits[split]] = number
        return sides

    def name(self, index: int) -> str:
        """Return the photo's file, relative to the folder."""
        listing = self.photos.listing
        return readable_name(listing.photos[index].path.relative_to(listing.root))

    def names(self, indices: Iterable[int] | NDArray[np.int64]) -> tuple[str, ...]:
        """Return the files of the first MAX_EXAMPLES photos."""
        return tuple(self.name(int(index)) for _, index in zip(range(MAX_EXAMPLES), indices, strict=False))

    def place(self, index: int) -> Place:
        """Return the photo's file, class and split, as a finding shows them."""
        side = int(self.sides[index])
        return Place(
            self.name(index),
            self.photos.listing.classes[int(self.labels[index])],
            SPLITS[side] if side >= 0 else None,
        )

    def pairs(self, pairs: Iterable[tuple[int, int]]) -> tuple[tuple[Place, Place], ...]:
        """Return the first MAX_EXAMPLES pairs."""
        return tuple((self.place(a), self.place(b)) for _, (a, b) in zip(range(MAX_EXAMPLES), pairs, strict=False))

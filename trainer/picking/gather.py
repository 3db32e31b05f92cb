"""Gather photos with and without labels: each file once, near-duplicates as one."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import FeatureSource
from trainer.dataset.duplicates import group_duplicates
from trainer.dataset.photo_folders import unreadable_in_words
from trainer.features.extract import PhotoFeatures, extract
from trainer.progress import Progress


@dataclass(frozen=True, slots=True)
class Gathered:
    """Photos with features, those with labels first.

    photos: all that could be read.
    labelled: for each of them, its place among the labelled photos given; -1 for one without a label.
    groups: near-duplicates share a number, the index of the first: one with a label if the group has one.
    """

    photos: PhotoFeatures
    labelled: NDArray[np.int64]
    groups: NDArray[np.int64]

    @property
    def different(self) -> NDArray[np.int64]:
        """The index of the first photo of each group, ascending."""
        return np.unique(self.groups)


def gather(
    labelled: Sequence[Path], photos: Sequence[Path], source: FeatureSource, *, workers: int, progress: Progress
) -> Gathered:
    """Compute the features of both, and find near-duplicates. A file that is in both counts as labelled.

    Raises DatasetError if none can be read; StorageError if the disk is full.
    """
    first: dict[str, tuple[Path, int]] = {}
    for place, path in enumerate(labelled):
        first.setdefault(os.path.realpath(path), (path, place))
    for path in photos:
        first.setdefault(os.path.realpath(path), (path, -1))
    places = dict(first.values())
    found = extract(list(places), source, workers=workers, progress=progress)
    if found.unreadable:
        progress.say(unreadable_in_words(found.unreadable))
    numbers = np.array([places[path] for path in found.paths], np.int64)
    return Gathered(found, numbers, group_duplicates(found.hashes, found.greys))

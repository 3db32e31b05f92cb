"""Gather photos with and without labels: each file once, near-duplicates as one."""

import os
from collections.abc import Container, Sequence
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


def teaching(
    found: Gathered, labels: Sequence[int | None], apart: Container[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of one photo for each group whose label is clear, and these labels.

    labels: the class number of each of the labelled photos; None for one without. apart: those of test photos. A scene
    under two classes teaches neither, and nothing is learned from what is nearly a test photo."""
    classes: dict[int, set[int]] = {}
    first: dict[int, int] = {}
    tested: set[int] = set()
    for place in np.flatnonzero(found.labelled >= 0).tolist():
        number, group = int(found.labelled[place]), int(found.groups[place])
        label = labels[number]
        if label is not None:
            classes.setdefault(group, set()).add(label)
            first.setdefault(group, place)
            if number in apart:
                tested.add(group)
    clear = {group: place for group, place in first.items() if len(classes[group]) == 1 and group not in tested}
    taught = [classes[group].pop() for group in clear]
    return np.array(list(clear.values()), np.int64), np.array(taught, np.int64)


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

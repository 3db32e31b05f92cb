"""Pick the photos to label next."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import FeatureSource
from edge.errors import DatasetError
from edge.exports.copying.names import safe_name
from edge.exports.tables import csv_bytes
from edge.images import readable_name
from edge.photo_files import ending_of
from trainer.dataset.listing import list_photos
from trainer.dataset.photo_folders import photos_in, write_photos
from trainer.features.axes import Points
from trainer.pages.words import counted
from trainer.picking.answers import BundleAnswers
from trainer.picking.carrying import Carrier
from trainer.picking.choose import doubts_of, typical, uncertain
from trainer.picking.gather import Gathered, gather, teaching
from trainer.picking.space import principal
from trainer.progress import Progress

PICKED = "picked.csv"
WRITTEN = "name"


class Pick(msgspec.Struct, frozen=True, omit_defaults=True):
    """One photo to label.

    file: below the folder of photos.
    stands_for: how many near-duplicates it stands for, itself included.
    guess: what it is taken for, by the bundle or by what the labelled photos show.
    doubt: 0 for a sure guess to 1 for two that are as likely.
    """

    file: str
    stands_for: int
    guess: str | None = None
    doubt: float | None = None


@dataclass(frozen=True, slots=True)
class Picked:
    """The photos to label, in order.

    rows, paths: one each for a photo.
    photos, different, labelled: how many photos were looked at, how many of them differ, how many of these have labels.
    unreadable: how many were left out.
    """

    rows: tuple[Pick, ...]
    paths: tuple[Path, ...]
    photos: int
    different: int
    labelled: int
    unreadable: int


def pick(
    photos: Path,
    count: int,
    source: FeatureSource,
    *,
    labelled: Path | None,
    seed: int,
    workers: int,
    progress: Progress,
    explore: bool = False,
) -> Picked:
    """Pick up to `count` photos: uncertain ones if `source` is a BundleAnswers or two classes have labels, typical ones
    otherwise, or with `explore`.

    labelled: a folder of photos that have labels, as for list_photos if these are to be used, else in whatever folders;
        neither they nor their near-duplicates are picked.

    Raises MissingInputError, DatasetError, StorageError.
    """
    known = [] if labelled is None else photos_in(labelled)
    needs_none = explore or isinstance(source, BundleAnswers)
    classes = _Classes() if labelled is None or needs_none else _classes_of(labelled, known, progress)
    found = gather(known, photos_in(photos), source, workers=workers, progress=progress)
    rows = found.different
    has_label = found.labelled[rows] >= 0
    if has_label.all():
        raise DatasetError(
            f"{readable_name(photos)}: every photo is labelled already, or nearly the same as one that is: add photos"
        )
    answers = _Answers.of(source, found, classes)
    chosen = rows[_choose(answers, rows, has_label, count, seed)]
    if len(chosen) < count:
        progress.say(f"{counted(len(chosen), 'photo')} picked instead of {count}: no more are different")
    sizes = np.bincount(found.groups, minlength=len(found.groups))
    picks = [answers.row(int(place), photos, int(sizes[place])) for place in chosen]
    paths = tuple(found.photos.paths[place] for place in chosen)
    return Picked(
        rows=tuple(picks),
        paths=paths,
        photos=len(found.groups),
        different=len(rows),
        labelled=int(has_label.sum()),
        unreadable=len(found.photos.unreadable),
    )


@dataclass(frozen=True, slots=True)
class _Classes:
    """Of the labelled photos: names of the classes, the class number of each photo, and which are test photos."""

    names: tuple[str, ...] = ()
    of_known: tuple[int | None, ...] = ()
    apart: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class _Answers:
    """The features of all photos, and what they are taken for, by a bundle or by photos that have labels.

    points: of found.different."""

    found: Gathered
    points: Points
    labels: Sequence[str] = ()
    scores: NDArray[np.float32] | None = None
    doubts: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, source: FeatureSource, found: Gathered, classes: "_Classes") -> "_Answers":
        rows = found.different
        if isinstance(source, BundleAnswers):
            features, scores = source.parted(found.photos.features)
            return cls(found, principal(features, rows), source.labels, scores, doubts_of(scores))
        points = principal(found.photos.features, rows)
        if not classes.names:
            return cls(found, points)
        seeds, labels = teaching(found, classes.of_known, classes.apart)
        if len(np.unique(labels)) < 2:
            return cls(found, points)
        scores = np.zeros((len(found.groups), len(classes.names)), np.float32)
        # One photo stands for its group, perhaps another one than the first.
        scores[rows] = Carrier(points, len(classes.names)).shares(np.searchsorted(rows, found.groups[seeds]), labels)
        return cls(found, points, classes.names, scores, doubts_of(scores))

    def row(self, place: int, root: Path, stands_for: int) -> Pick:
        file = self.found.photos.paths[place].relative_to(root).as_posix()
        if self.scores is None or self.doubts is None:
            return Pick(file, stands_for)
        guess = self.labels[int(self.scores[place].argmax())]
        return Pick(file, stands_for, guess, round(float(self.doubts[place]), 4))


def _choose(
    answers: _Answers, rows: NDArray[np.int64], has_label: NDArray[np.bool_], count: int, seed: int
) -> NDArray[np.int64]:
    """Return places in `rows`."""
    points = answers.points
    if answers.doubts is None:
        return typical(points, count, seed, np.flatnonzero(has_label))
    free = np.flatnonzero(~has_label)
    return free[uncertain(points[free], answers.doubts[rows[free]], count, seed)]


def _classes_of(labelled: Path, known: Sequence[Path], progress: Progress) -> _Classes:
    """Return the classes of the photos `known`, all in `labelled`; none if no class folders are found."""
    try:
        listing = list_photos(labelled, min_photos=0, visits=None)
    except DatasetError as error:
        progress.say(f"typical photos are picked, as classes are not found: {error}")
        return _Classes()
    by_hand = {photo.path: photo for photo in listing.photos if photo.sure is None}
    photos = [by_hand.get(path) for path in known]
    tested = frozenset(number for number, photo in enumerate(photos) if photo is not None and photo.split == "test")
    return _Classes(listing.classes, tuple(None if photo is None else photo.label for photo in photos), tested)


def rows_of(picked: Picked, written: Sequence[str] = ()) -> list[tuple[object, ...]]:
    """Return the picks as the rows of a table, the head line first.

    written: the name that each photo got in a folder, if they were written to one."""
    rows: list[tuple[object, ...]] = [("file", "stands_for", "guess", "doubt")]
    rows += [(row.file, row.stands_for, row.guess or "", "" if row.doubt is None else row.doubt) for row in picked.rows]
    return [(*row, name) for row, name in zip(rows, (WRITTEN, *written), strict=True)] if written else rows


def write_picked(folder: Path, picked: Picked, *, copy: bool, progress: Progress) -> None:
    """Write the photos and a table of them to the new folder `folder`. Raises what write_photos raises."""
    digits = len(str(len(picked.paths)))
    names = {}
    for number, path in enumerate(picked.paths, 1):
        ending = ending_of(path.name)
        stem = path.name[: len(path.name) - len(ending)]
        # The text of a name whose bytes are none.
        names[f"{number:0{digits}}-{safe_name(readable_name(stem))}{ending}"] = path
    table = csv_bytes(rows_of(picked, tuple(names)))
    write_photos(folder, names, {PICKED: table}, copy=copy, progress=progress)

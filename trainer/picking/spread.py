"""Carry the labels of few photos to the many that are like them."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import Features, FeatureSource
from edge.errors import DatasetError
from edge.images import readable_name
from trainer.dataset.listing import Listing, Photo, list_photos
from trainer.dataset.machine_labels import MACHINE_LABELS, MachineLabel, write_machine_labels
from trainer.dataset.photo_folders import FreeNames, photos_in, write_photos
from trainer.measuring.metrics import best_scores, predictions
from trainer.measuring.threshold import Threshold, choose_threshold, effect, lower_bound
from trainer.picking.carrying import Carrier
from trainer.picking.gather import Gathered, gather, teaching
from trainer.picking.lessons import count_learned
from trainer.picking.propagation import Shares
from trainer.picking.space import principal
from trainer.progress import Progress

Indices = NDArray[np.int64]
_TRAIN = "train"
# Of the photos without labels: who learned from carried labels learned from many. Each takes some milliseconds.
_LOOKED_AT = 2000
_SHOWN_LEVEL = 0.9  # one-sided, of the bound that a user sees


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """What labels were carried to which photos, in figures.

    photos: without labels, near-duplicates and those of labelled photos left out.
    labelled: photos with labels that they were carried from; near-duplicates count once.
    accepted: photos that got a label.
    unreadable: photos that were left out.
    threshold: how sure a label must be, 0..1.
    promised: the share of right labels that was wanted.
    precision: the share that was right among labelled photos that lost their label for the test and reached the
        threshold.
    at_least: its lower bound (Wilson, 90 %): what so few photos show, 0..1.
    tested, reached, right: how many lost their label; how many of them reached the threshold; how many of these got
        the right one.
    classes: how many photos got each label.
    learned: of those that lost their label, how many the network is known to have learned from: they make the test
        easier than it should be, so labels must be as sure on average as is wanted, too.
    learned_others: of the photos without labels, as far as they were looked at, how many it is known to have learned
        from, by labels that were carried to them before: it is surer of these than it should be.
    """

    photos: int
    labelled: int
    accepted: int
    unreadable: int
    threshold: float
    promised: float
    precision: float
    at_least: float
    tested: int
    reached: int
    right: int
    classes: dict[str, int]
    learned: int = 0
    learned_others: int = 0


@dataclass(frozen=True, slots=True)
class Labels:
    """Photos that got a label.

    figures: of all.
    listing: the labelled photos that they were carried from.
    paths, labels, sure: of each photo that got one, its file, class number, and how sure that is, 0..1.
    """

    figures: Spread
    listing: Listing
    paths: tuple[Path, ...]
    labels: Indices
    sure: NDArray[np.float32]


def spread(
    labelled: Path,
    photos: Path,
    source: FeatureSource,
    *,
    precision: float,
    seed: int,
    workers: int,
    progress: Progress,
    learned: Features | None = None,
) -> Labels:
    """Carry the labels of the class folders in `labelled` to those of `photos` for which labels of that sureness are
    right as often as `precision`, 0..1.

    learned: features of photos that the network of `source` learned from.
    Labels in a test folder, and those that a machine made, are carried nowhere. Raises MissingInputError, DatasetError,
    StorageError.
    """
    listing = list_photos(labelled, min_photos=1, visits=None)
    hand = [photo for photo in listing.photos if photo.sure is None]
    found = gather([photo.path for photo in hand], photos_in(photos), source, workers=workers, progress=progress)
    tested = {number for number, photo in enumerate(hand) if photo.split == "test"}
    (seeds, truth), free = teaching(found, [photo.label for photo in hand], tested), _unlabelled(found)
    if not len(seeds):
        raise DatasetError(
            f"{readable_name(labelled)}: no photo there has a label that can be carried: add some to train"
        )
    if not len(free):
        raise DatasetError(
            f"{readable_name(photos)}: every photo is labelled already, or nearly the same as one that is: add photos"
        )
    rows = np.concatenate([seeds, free])
    carrier, places = Carrier(principal(found.photos.features, rows), len(listing.classes)), np.arange(len(seeds))
    held_out = carrier.held_out(places, truth, seed)
    threshold = choose_threshold(held_out, truth, precision)
    if not threshold.shown:
        raise DatasetError(_not_shown(labelled, threshold, precision, len(seeds)))
    shares = carrier.shares(places, truth)[len(seeds) :]
    sure, given = best_scores(shares), predictions(shares)
    features = found.photos.features
    some = free[np.linspace(0, len(free) - 1, min(len(free), _LOOKED_AT)).astype(np.int64)]
    too_easy, others = (0, 0) if learned is None else (count_learned(features[of], learned) for of in (seeds, some))
    if too_easy:
        least = sure_on_average(sure, precision)
        if least is None:
            raise DatasetError(_not_sure(labelled, float(sure.max()), precision))
        threshold = _raised(threshold, least, held_out, truth)
    taken = np.flatnonzero(sure >= threshold.threshold)
    figures = _figures(listing, threshold, (len(free), len(found.photos.unreadable)), given[taken])
    figures = msgspec.structs.replace(figures, learned=too_easy, learned_others=others)
    paths = tuple(found.photos.paths[place] for place in free[taken])
    return Labels(figures, listing, paths, given[taken], sure[taken].astype(np.float32))


def _unlabelled(found: Gathered) -> Indices:
    """Return the indices of the photos without labels, near-duplicates as one each."""
    known = set(found.groups[found.labelled >= 0].tolist())
    return np.array([place for place in found.different.tolist() if place not in known], np.int64)


def sure_on_average(sure: NDArray[np.floating], precision: float) -> float | None:
    """Return how sure a label must be at least, so that those that are taken are as sure as `precision` on average;
    None if not even the surest is.

    sure: (photos,), 0..1, at least one. It is what the network shows of photos that it did not learn from. TrashNet,
    120 labels that the bundle had learned from, three draws, each tenth of the photos by sureness: sure to 0.96, 0.94,
    0.92, 0.88, 0.83, 0.76, 0.68, 0.59, 0.50, 0.37; of these 0.99, 0.98, 0.96, 0.91, 0.85, 0.77, 0.66, 0.59, 0.50 and
    0.35 right."""
    best = np.sort(sure.astype(np.float64))[::-1]
    last = np.r_[best[1:] < best[:-1], True]  # of those that are as sure
    passing = np.flatnonzero(last & (np.cumsum(best) / np.arange(1, len(best) + 1) >= precision))
    return float(best[passing[-1]]) if len(passing) else None


def _raised(threshold: Threshold, least: float, scores: Shares, truth: Indices) -> Threshold:
    """Return `threshold`, but `least` if that is more. scores: of the photos of the test; truth: their labels."""
    if least <= threshold.threshold:
        return threshold
    found = effect(truth, scores, least)
    assert found is not None
    return msgspec.structs.replace(threshold, threshold=least, validation=found)


def _not_sure(labelled: Path, most: float, precision: float) -> str:
    return (
        f"{readable_name(labelled)}: no labels can be carried at --precision {precision:g}: the bundle learned from "
        f"these labels, so no test can show what is right, and no label is surer than {most:.2f}: give a lower "
        "--precision, or --weights instead of --bundle"
    )


def _not_shown(labelled: Path, threshold: Threshold, precision: float, seeds: int) -> str:
    tested = threshold.validation
    right = 0.0 if tested is None or tested.precision is None else tested.precision.value
    return (
        f"{readable_name(labelled)}: no labels can be carried at --precision {precision:g}: of {seeds} labelled photos "
        f"that lost their label for the test, {right:.0%} got the right one from the others, and the surest are wrong "
        "too often or too few: label more photos, or give a lower --precision"
    )


def _figures(listing: Listing, threshold: Threshold, photos: tuple[int, int], given: Indices) -> Spread:
    """Return the figures. photos: how many had no label, and how many of all cannot be read. given: the labels."""
    tested = threshold.validation
    assert tested is not None
    share = 0.0 if tested.precision is None else tested.precision.value  # none of the test is as sure
    counts = Counter(given.tolist())
    right = round(share * tested.accepted)
    at_least = lower_bound(np.array([right]), np.array([max(1, tested.accepted)]), _SHOWN_LEVEL)[0]
    return Spread(
        photos=photos[0],
        labelled=tested.photos,
        accepted=len(given),
        unreadable=photos[1],
        threshold=threshold.threshold,
        promised=threshold.promise or 0.0,
        precision=share,
        at_least=float(at_least),
        tested=tested.photos,
        reached=tested.accepted,
        right=right,
        classes={name: counts[number] for number, name in enumerate(listing.classes)},
    )


def write_labels(folder: Path, labels: Labels, photos: Path, *, copy: bool, progress: Progress) -> None:
    """Write the photos with labels, by hand and by machine, to class folders in the new folder `folder`, with a table
    that marks those of the machine. Raises what write_photos raises.

    photos: the folder of the photos that had no labels; sub-folders are kept, as they may be visits."""
    listing, names = labels.listing, FreeNames()
    by_name = {names.free(_name_of(photo, listing)): photo.path for photo in listing.photos if photo.sure is None}
    above = f"{_TRAIN}/" if any(photo.split for photo in listing.photos) else ""
    rows = []
    for path, label, sure in zip(labels.paths, labels.labels.tolist(), labels.sure.tolist(), strict=True):
        name = names.free(f"{above}{listing.classes[label]}/{path.relative_to(photos).as_posix()}")
        by_name[name] = path
        rows.append(MachineLabel(name, listing.classes[label], sure))
    write_photos(folder, by_name, {MACHINE_LABELS: write_machine_labels(rows)}, copy=copy, progress=progress)


def _name_of(photo: Photo, listing: Listing) -> str:
    """Return the place of a labelled photo below the new folder. Split folders get the names that training knows."""
    below = photo.path.relative_to(listing.root).as_posix()
    return below if photo.split is None else f"{photo.split}/{below.partition('/')[2]}"

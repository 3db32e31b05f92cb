"""Carry the labels of few photos to the many that are like them."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import Features, FeatureSource
from edge.errors import DatasetError
from edge.images import readable_name
from trainer.dataset.layouts.passed_over import in_words
from trainer.dataset.listing import Listing, Photo, list_photos
from trainer.dataset.machine_labels import MACHINE_LABELS, MachineLabel, write_machine_labels
from trainer.dataset.photo_folders import FreeNames, photos_in, write_photos
from trainer.measuring.metrics import best_scores, predictions
from trainer.measuring.scaling import TEMPERATURES, Scaling, best_temperature
from trainer.measuring.threshold import effect, lower_bound, photos_needed, shortest_between
from trainer.pages.words import counted
from trainer.picking.carrying import Carrier
from trainer.picking.gather import Gathered, gather, teaching
from trainer.picking.lessons import count_learned
from trainer.picking.propagation import Shares
from trainer.picking.space import principal
from trainer.picking.two_networks import TwoNetworks
from trainer.progress import Progress

Indices = NDArray[np.int64]
_TRAIN = "train"
# Of the photos without labels: who learned from carried labels learned from many. Each takes some milliseconds.
_LOOKED_AT = 2000
_SHOWN_LEVEL = 0.9  # one-sided, of the bound that a user sees
_LEAST_SHARE = 1e-6  # has a logarithm


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """What labels were carried to which photos, in figures.

    photos: without labels, near-duplicates and those of labelled photos left out.
    labelled: photos with labels that they were carried from; near-duplicates count once.
    accepted: photos that got a label.
    unreadable: photos that were left out.
    threshold: how sure a label must be, 0..1.
    promised: the share of right labels that was wanted, and is to be expected.
    precision: the share that was right among labelled photos that lost their label for the test and reached the
        threshold.
    at_least: its lower bound (Wilson, 90 %): what so few photos show, 0..1.
    tested, reached, right: how many lost their label; how many of them reached the threshold; how many of these got
        the right one.
    classes: how many photos got each label.
    learned: of those that lost their label, how many the network is known to have learned from: they make the test
        easier than it should be, and how sure labels are is not measured by it.
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


@dataclass(frozen=True, slots=True)
class _Carried:
    """Labels for all photos without one, before any is refused.

    shares: how likely each class is for each of them, float32 (photos, classes).
    held_out, truth: the same for labelled photos that lost their label for the test, and their classes.
    learned, learned_others: see Spread.
    is_measured: whether labels are as sure as a test shows that they are right; else as the network has it.
    """

    shares: Shares
    held_out: Shares
    truth: Indices
    learned: int
    learned_others: int
    is_measured: bool


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
    """Carry the labels of the class folders in `labelled` to those of `photos` of which together `precision`, 0..1, can
    be expected to be right.

    learned: features of photos that the network of `source` learned from, or the first of TwoNetworks; none if it
        remembers none.
    Labels in a test folder, and those that a machine made, are carried nowhere. Raises MissingInputError, DatasetError,
    StorageError.
    """
    listing = list_photos(labelled, min_photos=1, visits=None)
    _announce(listing, progress)
    hand = [photo for photo in listing.photos if photo.sure is None]
    if len(hand) < photos_needed(precision):
        raise DatasetError(_too_few(labelled, len(hand), precision))
    found = gather([photo.path for photo in hand], photos_in(photos), source, workers=workers, progress=progress)
    tested = {number for number, photo in enumerate(hand) if photo.split == "test"}
    seeds, free = teaching(found, [photo.label for photo in hand], tested), _unlabelled(found)
    if not len(seeds[0]):
        raise DatasetError(
            f"{readable_name(labelled)}: no photo there has a label that can be carried: add some to train"
        )
    if not len(free):
        raise DatasetError(
            f"{readable_name(photos)}: every photo is labelled already, or nearly the same as one that is: add photos"
        )
    second = source.first_channels if isinstance(source, TwoNetworks) else None
    carried = _carry(
        found.photos.features, seeds, free, len(listing.classes), learned=learned, second=second, seed=seed
    )
    sure, given = best_scores(carried.shares), predictions(carried.shares)
    if len(carried.truth) < photos_needed(precision):
        raise DatasetError(_too_few(labelled, len(carried.truth), precision))
    if (threshold := sure_on_average(sure, precision)) is None:
        raise DatasetError(_refused(labelled, carried, precision))
    taken = np.flatnonzero(sure >= threshold)
    figures = _figures(listing, carried, given[taken], threshold, precision, len(found.photos.unreadable))
    paths = tuple(found.photos.paths[place] for place in free[taken])
    return Labels(figures, listing, paths, given[taken], sure[taken].astype(np.float32))


def _announce(listing: Listing, progress: Progress) -> None:
    """Show what of the labelled photos does not count."""
    for line in in_words(listing.passed_over):
        progress.say(line)
    if listing.broken:
        links = counted(len(listing.broken), "link to a photo leads", "links to photos lead")
        progress.say(
            f"warning: {readable_name(listing.root)}: {links} nowhere: is the card out? These labels do not count"
        )


def _unlabelled(found: Gathered) -> Indices:
    """Return the indices of the photos without labels, near-duplicates as one each."""
    known = set(found.groups[found.labelled >= 0].tolist())
    return np.array([place for place in found.different.tolist() if place not in known], np.int64)


def _carry(
    features: Features,
    labelled: tuple[Indices, Indices],
    free: Indices,
    classes: int,
    *,
    learned: Features | None,
    second: int | None,
    seed: int,
) -> _Carried:
    """Carry the labels, and test that on the labelled photos.

    features: of all photos. labelled: which have labels, and these. free: which have none. second: the column from
    which on they are a second network's."""
    seeds, truth = labelled
    shares, held_out = _shares(features, labelled, free, classes, seed)
    some = free[np.linspace(0, len(free) - 1, min(len(free), _LOOKED_AT)).astype(np.int64)]
    known, others = (0, 0) if learned is None else (count_learned(features[of], learned) for of in (seeds, some))
    if second is not None and learned is not None and (known or not len(learned)):
        # Of a network that learned from the labelled photos, or may have, the test shows nothing. It does of the other.
        alone, _ = as_sure_as_right(*_shares(features[:, second:], labelled, free, classes, seed), truth)
        shares, held_out = as_sure_as(float(best_scores(alone).mean()), shares, held_out)
    elif not known:
        shares, held_out = as_sure_as_right(shares, held_out, truth)
    return _Carried(shares, held_out, truth, known, others, is_measured=not known or second is not None)


def _shares(
    features: Features, labelled: tuple[Indices, Indices], free: Indices, classes: int, seed: int
) -> tuple[Shares, Shares]:
    """Return how likely each class is for the photos without labels, and for those that lost theirs for the test."""
    seeds, truth = labelled
    carrier, places = Carrier(principal(features, np.concatenate([seeds, free])), classes), np.arange(len(seeds))
    return carrier.shares(places, truth)[len(seeds) :], carrier.held_out(places, truth, seed)


def as_sure_as_right(shares: Shares, held_out: Shares, truth: Indices) -> tuple[Shares, Shares]:
    """Return both, (photos, classes), as sure as those of the test are right: sharpened or softened alike.

    held_out: of the photos of the test; truth: their classes.

    How it was chosen: 8 draws of picked or random labels each, precision 0.9, the features of MobileNetV2 0.35. By the
    smallest threshold at which Wilson's bound of the test's precision reaches 0.9 (85 %), and in this way; how many of
    the others got a label, and how many of those were right (mean, least):

        TrashNet, 60 picked          34 %, 91.0 (85)    34 %, 93.7 (88)
        120                          47 %, 92.6 (87)    57 %, 89.7 (84)
        240                          57 %, 92.2 (85)    64 %, 89.8 (85)
        coffee leaves, 40 picked     40 %, 82.4 (77)    27 %, 91.9 (85)
        80                           37 %, 90.9 (82)    38 %, 92.5 (84)
        160                          49 %, 90.9 (85)    52 %, 90.7 (81)
        320                          65 %, 90.6 (87)    65 %, 90.5 (87)
        320 random                   56 %, 92.8 (90)    61 %, 92.1 (89)

    The bound looks for the luckiest of many thresholds; this one looks at all photos of the test at once. So how many
    get a label varies less from draw to draw if labels are few: by a standard deviation of 11 instead of 22 points with
    60 labels of TrashNet, and of 9 instead of 25 with 40 of coffee leaves; with 120 of TrashNet 11 and 10."""
    logits, tested = _logits(shares), _logits(held_out)
    scaling = Scaling(best_temperature(tested, truth))
    return scaling.scores(logits), scaling.scores(tested)


def as_sure_as(average: float, shares: Shares, held_out: Shares) -> tuple[Shares, Shares]:
    """Return both, sharpened or softened alike, so that `shares` are as sure as `average` on average.

    TrashNet, 120 labels that the bundle had learned from, MobileNetV2 1.0 beside it, precision 0.9, three draws: 1,398
    labels, 90 % right, 1,098, 94 %, and 1,245, 92 %; as the networks have it 1,074, 94 %, 1,000, 95 %, and 1,058, 94 %.
    (Features by Keras; the command's own differ a little: docs/labelling.md.)"""
    logits = _logits(shares)

    def unsure(temperature: float) -> float:
        return -float(best_scores(Scaling(temperature).scores(logits)).mean())

    place = min(bisect_left(TEMPERATURES.tolist(), -average, key=unsure), len(TEMPERATURES) - 1)
    scaling = Scaling(float(TEMPERATURES[place]))
    return scaling.scores(logits), scaling.scores(_logits(held_out))


def _logits(shares: Shares) -> Shares:
    # What no tie reaches has half of a label only: the rest may be any.
    rest = np.maximum(0, 1 - shares.sum(axis=1, keepdims=True)) / shares.shape[1]
    logits: Shares = np.log(np.maximum(shares + rest, _LEAST_SHARE)).astype(np.float32)
    return logits


def sure_on_average(sure: NDArray[np.floating], precision: float) -> float | None:
    """Return how sure a label must be at least, so that those that are taken are as sure as `precision` on average: a
    short number, 0 if all are taken; None if not even the surest is.

    sure: (photos,), 0..1, at least one. A network that learned from the labelled photos is about as sure of others as
    it is right, without a test. TrashNet, 120 labels that the bundle had learned from, three draws, each tenth of the
    photos by sureness: sure to 0.96, 0.94, 0.92, 0.88, 0.83, 0.76, 0.68, 0.59, 0.50, 0.37; of these 0.99, 0.98, 0.96,
    0.91, 0.85, 0.77, 0.66, 0.59, 0.50 and 0.35 right."""
    best = np.sort(sure.astype(np.float64))[::-1]
    last = np.r_[best[1:] < best[:-1], True]  # of those that are as sure
    passing = np.flatnonzero(last & (np.cumsum(best) / np.arange(1, len(best) + 1) >= precision))
    if not len(passing):
        return None
    if passing[-1] + 1 == len(best):
        return 0.0
    reached, below = best[passing[-1] : passing[-1] + 2].tolist()
    between = shortest_between(below, reached)
    return between if below < between <= reached else reached


def _too_few(labelled: Path, photos: int, precision: float) -> str:
    return (
        f"{readable_name(labelled)}: no labels can be carried at --precision {precision:g}: that takes a test of "
        f"{photos_needed(precision)} labelled photos, and there are {photos}: label more, or give a lower --precision"
    )


def _refused(labelled: Path, carried: _Carried, precision: float) -> str:
    most = f"no label is surer than {best_scores(carried.shares).max():.2f}"
    head = f"{readable_name(labelled)}: no labels can be carried at --precision {precision:g}: "
    if not carried.is_measured:
        return (
            f"{head}the bundle learned from these labels, so no test can show what is right, and {most}: give a lower "
            "--precision, or --weights instead of --bundle or beside it"
        )
    if carried.learned:
        return f"{head}{most}, as the weights alone show: label more photos, or give a lower --precision"
    right = float((predictions(carried.held_out) == carried.truth).mean())
    return (
        f"{head}of {len(carried.truth)} labelled photos that lost their label for the test, {right:.0%} got the right "
        f"one from the others, and {most}: label more photos, or give a lower --precision"
    )


def _figures(
    listing: Listing, carried: _Carried, given: Indices, threshold: float, precision: float, unreadable: int
) -> Spread:
    """Return the figures. given: the labels that are sure to `threshold`."""
    tested = effect(carried.truth, carried.held_out, threshold)
    assert tested is not None
    share = 0.0 if tested.precision is None else tested.precision.value  # none of the test is as sure
    counts = Counter(given.tolist())
    right = round(share * tested.accepted)
    at_least = lower_bound(np.array([right]), np.array([max(1, tested.accepted)]), _SHOWN_LEVEL)[0]
    return Spread(
        photos=len(carried.shares),
        labelled=tested.photos,
        accepted=len(given),
        unreadable=unreadable,
        threshold=threshold,
        promised=precision,
        precision=share,
        at_least=float(at_least),
        tested=tested.photos,
        reached=tested.accepted,
        right=right,
        classes={name: counts[number] for number, name in enumerate(listing.classes)},
        learned=carried.learned,
        learned_others=carried.learned_others,
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

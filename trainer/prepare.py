"""Decode, check and split a folder of photos, and decode the photos of --outside."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import DatasetError, MissingInputError
from edge.events.taxonomy import read_file, read_taxonomy
from edge.images import readable_name
from edge.inference.assembly import TAXONOMY_NAME
from edge.photo_files import is_everyday, look_through, photos_of
from trainer.check.examine import DatasetReport, conflicts, examine
from trainer.check.files import PASSED_OVER
from trainer.check.labels import LOST
from trainer.cropping.sources import source_groups
from trainer.dataset.duplicates import group_duplicates
from trainer.dataset.groups import join_groups, visit_groups
from trainer.dataset.layouts.passed_over import in_words, others_of, passed_over
from trainer.dataset.layouts.splits import closed_with_photos
from trainer.dataset.listing import SPLITS, Listing, Photo, Split
from trainer.dataset.machine_labels import MACHINE_LABELS, machine_weights
from trainer.dataset.photo_set import PhotoSet
from trainer.dataset.photos import Photos, load_photos
from trainer.dataset.splitting import assign_splits
from trainer.networks.pixels import input_of
from trainer.pages.words import counted
from trainer.progress import Progress
from trainer.run_context import RunContext


@dataclass(frozen=True, slots=True)
class Data:
    """Photos, ready to learn from.

    photos: decoded, all splits together.
    splits: the indices of each split.
    near_duplicates: how many photos are nearly the same as an earlier one.
    torn: how many groups of near-duplicates the split folders tear apart.
    report: the result of the dataset check.
    machine_weight: what a photo counts in training at most whose label a machine made.
    """

    photos: Photos
    splits: dict[Split, NDArray[np.int64]]
    near_duplicates: int
    torn: int
    report: DatasetReport
    machine_weight: float

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their numbers."""
        return self.photos.listing.classes

    @property
    def photo_set(self) -> PhotoSet:
        """The photos that learning and choosing may look at: no test photos."""
        listing = self.photos.listing
        made = listing.machine_made
        hand = np.setdiff1d(np.concatenate([self.splits["train"], self.splits["val"]]), made)
        weights = machine_weights(listing.labels, made, hand, len(listing.classes), self.machine_weight)
        return PhotoSet(self.photos.seen, listing.labels, self.splits["train"], self.splits["val"], weights, made)


def load(run: RunContext, listing: Listing) -> Data:
    """Decode `listing`, report what is remarkable, and split. Raises DatasetError, StorageError."""
    # Before the minutes of decoding: whoever finds five sixths of a class missing stops here.
    _announce_passed_over(listing, run.progress)
    photos = _load_photos(run, listing)
    duplicates = group_duplicates(photos.hashes, photos.greys)
    group_by = run.options.group_by
    visits = None if group_by is None else visit_groups(photos.listing, group_by)
    groups = duplicates if visits is None else join_groups(duplicates, visits.groups)
    if run.crop is not None:
        groups = join_groups(groups, source_groups(photos.listing, run.crop))
    splits, torn = assign_splits(photos.listing, groups, run.options.seed, conflicts(photos))
    if not run.options.machine_weight:
        splits["train"] = np.setdiff1d(splits["train"], photos.listing.machine_made)
    report = examine(photos, duplicates, splits, visits=visits)
    repeated = len(duplicates) - len(np.unique(duplicates))
    data = Data(photos, splits, repeated, torn, report, run.options.machine_weight)
    _announce(run, data)
    return data


def _load_photos(run: RunContext, listing: Listing) -> Photos:
    options = run.options
    with run.progress.stage("reading photos", len(listing.photos)) as advance:
        photos = load_photos(
            listing,
            run.spec,
            input_of(options.network),
            run.folder,
            workers=options.decoders,
            skip_unreadable=options.skip_unreadable,
            progress=advance,
        )
    for problem in photos.unreadable:
        run.progress.say(f"left out: {problem}")
    return photos


def _announce(run: RunContext, data: Data) -> None:
    counts = ", ".join(f"{len(data.splits[split])} {split}" for split in SPLITS)
    photos = len(data.photos.listing.photos)
    run.progress.say(
        f"{photos} photos of {len(data.classes)} classes: {counts}; {counted(data.near_duplicates, 'near-duplicate')}"
    )
    _announce_machine_made(run, data)
    for finding in data.report.of("problem"):
        run.progress.say(f"warning: {finding.title}. {finding.explanation}")
    warnings = data.report.of("warning")
    if others := sum(finding.kind not in {*PASSED_OVER, LOST} for finding in warnings):
        found = counted(others, "warning" if others == len(warnings) else "more warning")
        run.progress.say(
            f"{found} on the photos {'is' if others == 1 else 'are'} in the report (or: fieldfare dataset check "
            f"{run.options.data})"
        )


def _announce_machine_made(run: RunContext, data: Data) -> None:
    """Show how many labels were made by a machine, and what they count."""
    made, lost = data.photos.listing.machine_made, data.photos.listing.lost
    if len(made):
        used = len(np.intersect1d(made, data.splits["train"]))
        run.progress.say(
            f"{counted(len(made), 'label')} made by a machine: {used} in training, each counts at most "
            f"{data.machine_weight:g} of one made by hand; none in validation and test"
        )
    if lost:
        run.progress.say(
            f"warning: {counted(lost, 'row')} of {MACHINE_LABELS} without a photo of that name: photos that were moved "
            "or renamed count as labelled by hand"
        )


def _announce_passed_over(listing: Listing, progress: Progress) -> None:
    """Show what is no photo in which class, and how many photos are in none."""
    for line in in_words(listing.passed_over):
        progress.say(line)
    if listing.loose:
        progress.say(f"warning: {counted(listing.loose, 'photo')} beside the class folders, in no class: passed over")
    for line in closed_with_photos(folder for folder in listing.closed if _may_be_class(listing, folder)):
        progress.say(
            f"warning: the folder {line} is not looked into, because systems use that name: rename it if it is a class"
        )


def _may_be_class(listing: Listing, closed: Path) -> bool:
    """Return whether a folder that was not looked into may be a class to its user; inside of classes lie thumbnails of
    their photos."""
    *above, name = closed.relative_to(listing.root).parts
    return is_everyday(name) and len(above) < 2 and (not above or above[0] not in listing.classes)


def find_taxonomy(listing: Listing, progress: Progress) -> bytes | None:
    """Return the bytes of the taxonomy.csv beside the class folders, checked; None if there is none. Raises DataError,
    MissingInputError."""
    path = listing.root / TAXONOMY_NAME
    if not os.path.lexists(path):
        return None
    data, shown = read_file(path), readable_name(path)
    for line in read_taxonomy(data, shown).differences(listing.classes):
        progress.say(f"warning: {shown}: {line}")
    return data


def list_outside(folder: Path | None) -> Listing | None:
    """List the photos in `folder` as one class; None without a folder. Raises MissingInputError if it has no photos."""
    if folder is None:
        return None
    tree = look_through(folder)
    paths = photos_of(folder, tree)
    others = others_of(tree, paths)
    left = passed_over("--outside", len(paths), others)
    if not paths:
        there = f" ({left.shares()})" if others else ""
        raise MissingInputError(f"--outside {folder}: no photos there (JPEG, PNG, BMP, WebP, TIFF){there}")
    photos = tuple(Photo(path, 0, None) for path in paths)
    return Listing(folder, ("outside",), photos, (left,) if others else ())


def load_outside(run: RunContext, outside: Listing | None) -> Photos | None:
    """Decode the photos of --outside; None without any. Raises DatasetError if not one can be read, StorageError."""
    if outside is None:
        return None
    _announce_passed_over(outside, run.progress)
    count, tensor = len(outside.photos), input_of(run.options.network)
    with run.progress.stage("photos outside the classes", count) as advance:
        photos = load_photos(
            outside,
            run.spec,
            tensor,
            run.folder,
            workers=run.options.decoders,
            skip_unreadable=True,
            progress=advance,
        )
    if not photos.listing.photos:
        photos.pixels.close()
        raise DatasetError(
            f"--outside {readable_name(outside.root)}: not one of {count} photos can be read ({photos.unreadable[0]}): "
            "repair them, or train without --outside"
        )
    for problem in photos.unreadable:
        run.progress.say(f"warning: --outside: left out: {problem}")
    return photos

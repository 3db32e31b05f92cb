"""A folder of photos -> decoded, checked and split, ready to learn from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Preprocessing
from trainer.check.examine import DatasetReport, conflicts, examine
from trainer.dataset.duplicates import group_duplicates
from trainer.dataset.groups import join_groups, visit_groups
from trainer.dataset.listing import SPLITS, Listing, Split
from trainer.dataset.photos import Photos, load_photos
from trainer.dataset.splitting import assign_splits
from trainer.networks.pixels import input_of
from trainer.options import Options
from trainer.progress import Progress


@dataclass(frozen=True, slots=True)
class Data:
    """Decoded photos and the indices of each split; how many are near-duplicates of another, and how many
    groups the split folders tear apart; what the check found."""

    photos: Photos
    splits: dict[Split, NDArray[np.int64]]
    near_duplicates: int
    torn: int
    report: DatasetReport


def load(options: Options, listing: Listing, spec: Preprocessing, folder: Path, progress: Progress) -> Data:
    """Decode `listing` into `folder`, say what is remarkable, and split. Raises DatasetError, StorageError."""
    with progress.stage("reading photos", len(listing.photos)) as advance:
        photos = load_photos(
            listing,
            spec,
            input_of(options.network),
            folder,
            workers=options.decoders,
            skip_unreadable=options.skip_unreadable,
            progress=advance,
        )
    for problem in photos.unreadable:
        progress.say(f"left out: {problem}")
    duplicates = group_duplicates(photos.hashes, photos.greys)
    visits = None if options.group_by is None else visit_groups(photos.listing, options.group_by)
    groups = duplicates if visits is None else join_groups(duplicates, visits.groups)
    splits, torn = assign_splits(photos.listing, groups, options.seed, conflicts(photos))
    report = examine(photos, duplicates, splits, visits=visits)
    extra = len(duplicates) - len(np.unique(duplicates))
    counts = ", ".join(f"{len(splits[split])} {split}" for split in SPLITS)
    progress.say(
        f"{len(photos.listing.photos)} photos of {len(listing.classes)} classes: {counts}; {extra} near-duplicates"
    )
    for finding in report.of("problem"):
        progress.say(f"warning: {finding.title}. {finding.explanation}")
    if others := len(report.of("warning")):
        progress.say(f"{others} remarks on the photos are in the report (or: fieldfare dataset check {options.data})")
    return Data(photos, splits, extra, torn, report)

"""A folder of photos -> classes and splits. Files are listed here; trainer.photos decodes them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.bundle.store import MANIFEST_HASH
from edge.decision import UNKNOWN
from edge.errors import DatasetError, MissingInputError
from edge.images import find_images

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
SHARES = {"train": 0.70, "val": 0.15, "test": 0.15}
# One photo of each class for each split, and one more to learn from.
MIN_PHOTOS = 4
_ALIASES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True, slots=True)
class Photo:
    """A file, the index of its class, and the split that its folder names, if any."""

    path: Path
    label: int
    split: Split | None


@dataclass(frozen=True, slots=True)
class Listing:
    """All photos under one folder, in a fixed order. ignored counts files that are no photos by name."""

    root: Path
    classes: tuple[str, ...]
    photos: tuple[Photo, ...]
    ignored: int

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class index of every photo, (photos,)."""
        return np.array([photo.label for photo in self.photos], dtype=np.int64)


def list_photos(root: Path) -> Listing:
    """Find classes and photos under `root`: class folders, or train/val/test folders of class folders.

    Raises MissingInputError where there is no folder, DatasetError on one class only, a class without
    photos or with fewer than four, or splits that name different classes."""
    if not root.is_dir():
        raise MissingInputError(f"{root}: no such folder: give a folder with one folder of photos per class")
    folders = _folders(root)
    named = [folder for folder in folders if folder.name.lower() in _ALIASES]
    splits = {_ALIASES[folder.name.lower()]: folder for folder in named}
    if "train" in splits and len(named) > 1:
        if len(splits) < len(folders):
            others = sorted({folder.name for folder in folders} - {folder.name for folder in splits.values()})
            raise DatasetError(
                f"{root}: {others[0]!r} stands beside the split folders: only one each of train, val and test may: "
                "move it elsewhere"
            )
        per_split: dict[Split | None, list[Path]] = {s: _folders(f) for s, f in splits.items()}
    else:
        per_split = {None: folders}
    classes = tuple(sorted({folder.name for folders in per_split.values() for folder in folders}))
    _check_classes(root, classes)
    photos: list[Photo] = []
    ignored = 0
    for split, class_folders in per_split.items():
        where = splits[split] if split else root
        if missing := sorted(set(classes) - {folder.name for folder in class_folders}):
            raise DatasetError(f"{where}: class folder {missing[0]!r} is missing there: every split needs it")
        for folder in class_folders:
            if (folder / MANIFEST_HASH).is_file():
                raise DatasetError(f"{folder}: is a model bundle, not a class: move it out of the photos")
            found = find_images(folder)
            ignored += sum(entry.is_file() for entry in folder.rglob("*")) - len(found)
            if not found:
                raise DatasetError(f"{folder}: no photos (JPEG, PNG, BMP, WebP, TIFF): add some or remove the folder")
            photos += [Photo(path, classes.index(folder.name), split) for path in found]
    _check_counts(root, classes, photos)
    return Listing(root, classes, tuple(photos), ignored)


def assign_splits(listing: Listing, groups: NDArray[np.int64], seed: int) -> tuple[dict[Split, NDArray[np.int64]], int]:
    """Indices of the photos of each split, sorted, and how many groups the folders themselves tear apart.

    groups: (photos,), equal numbers for near-duplicates, which always land on one side of a split made here:
    stratified by class, 70/15/15, drawn with `seed`. Photos whose folder names a split stay there; a val or
    test split that is not there is drawn from train.
    """
    chosen: list[Split | None] = [photo.split for photo in listing.photos]
    present = {split for split in chosen if split}
    wanted = [split for split in SPLITS if split not in present and split != "train"]
    rng = np.random.default_rng(seed)
    seen_as: dict[int, set[int]] = {}
    for group, photo in zip(groups, listing.photos, strict=True):
        seen_as.setdefault(int(group), set()).add(photo.label)
    mixed = {group for group, labels in seen_as.items() if len(labels) > 1}
    for label in range(len(listing.classes)):
        pool = [i for i, p in enumerate(listing.photos) if p.label == label and p.split in (None, "train")]
        _draw(pool, groups, mixed, wanted, rng, chosen)
    result = {
        split: np.array([i for i, s in enumerate(chosen) if (s or "train") == split], dtype=np.int64)
        for split in SPLITS
    }
    _check_splits(listing, result)
    sides: dict[int, set[Split]] = {}
    for index, side in enumerate(chosen):
        sides.setdefault(int(groups[index]), set()).add(side or "train")
    return result, sum(len(found) > 1 for found in sides.values())


def _draw(
    pool: list[int],
    groups: NDArray[np.int64],
    mixed: set[int],
    wanted: Sequence[Split],
    rng: np.random.Generator,
    chosen: list[Split | None],
) -> None:
    """Move whole groups of one class from train to the wanted splits until each has its share."""
    members: dict[int, list[int]] = {}
    for index in pool:
        members.setdefault(int(groups[index]), []).append(index)
    # A scene filed under two classes stays in train: drawn class by class, it would be torn apart.
    order = [group for group in (list(members)[k] for k in rng.permutation(len(members))) if group not in mixed]
    # Large groups (bursts of one scene) stay in train, so that val and test hold many scenes.
    order.sort(key=lambda group: len(members[group]))
    for place, split in enumerate(wanted):
        quota = max(1, round(SHARES[split] * len(pool)))
        # Where one burst is most of a class, val must not take the few other scenes that test needs, too.
        allowed = (len(order) - 1) // (len(wanted) - place)
        while quota > 0 and allowed > 0:
            group = order.pop(0)
            for index in members[group]:
                chosen[index] = split
            quota -= len(members[group])
            allowed -= 1


def _folders(root: Path) -> list[Path]:
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _check_classes(root: Path, classes: tuple[str, ...]) -> None:
    if not classes:
        raise DatasetError(f"{root}: no class folders: put the photos of each class into a folder of its name")
    if len(classes) == 1:
        raise DatasetError(
            f"{root}: one class only ({classes[0]!r}), must be 2 or more: add a folder of photos of what it is not"
        )
    for name in classes:
        if name == UNKNOWN:
            raise DatasetError(
                f"{root}: class folder {name!r}: the device says that where no class fits: choose another name"
            )
        if not name.isprintable() or name != name.strip():
            raise DatasetError(f"{root}: class folder {name!r}: unprintable or outer blanks: rename it")


def _check_counts(root: Path, classes: tuple[str, ...], photos: list[Photo]) -> None:
    counts = Counter(photo.label for photo in photos)
    for label, name in enumerate(classes):
        if counts[label] < MIN_PHOTOS:
            raise DatasetError(f"{root}: class {name!r} has {counts[label]} photos, at least {MIN_PHOTOS}: add some")


def _check_splits(listing: Listing, splits: dict[Split, NDArray[np.int64]]) -> None:
    labels = listing.labels
    for split, indices in splits.items():
        for label, name in enumerate(listing.classes):
            if not (labels[indices] == label).any():
                raise DatasetError(
                    f"{listing.root}: class {name!r} has no photo left for {split}: its photos are too few or "
                    "nearly the same; add photos of other scenes"
                )

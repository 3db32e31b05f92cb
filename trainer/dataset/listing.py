"""List the classes and photo files of a folder by their names; trainer.dataset.photos decodes the files."""

import unicodedata
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.bundle.labels import is_unknown, label_fix, label_problem, twins
from edge.bundle.place import MANIFEST_HASH
from edge.errors import DatasetError, MissingInputError
from edge.photo_files import is_image_name, look_through, photos_of
from edge.results import UNKNOWN
from trainer.dataset.layouts.nested import CROP_NAME, check_nested
from trainer.dataset.layouts.other_tools import check_other_layouts
from trainer.dataset.layouts.passed_over import PassedOver, others_of, passed_over
from trainer.dataset.layouts.splits import (
    check_classes_of_splits,
    check_split_names,
    check_splits,
    closed_in,
    closed_with_photos,
    folder_to_give,
    folders_in,
    folders_of_classes,
    holds_photos,
    loose_photos,
    named,
)
from trainer.dataset.machine_labels import Sureness, read_machine_labels
from trainer.pages.words import counted

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
SHARES = {"train": 0.70, "val": 0.15, "test": 0.15}
# Of each class, one photo for each split and a second one for train.
MIN_PHOTOS = 4
_MOST_LINES = 3  # on what is passed over, in one message
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
    """A file, the index of its class, and the split that its folder names, if any.

    sure: how sure its label is, 0..1, if a machine made it; None if a person did.
    """

    path: Path
    label: int
    split: Split | None
    sure: float | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """All photos under one folder, in a fixed order.

    root: the folder.
    classes: names, sorted; the index of a name is the class's label.
    photos: the files.
    passed_over: what is no photo by its name, for each class that has such files.
    broken: symbolic links with a photo's name that lead nowhere.
    closed: folders that were not looked into: hidden ones, and those that systems keep for themselves.
    loose: how many photos lie beside the class folders, in no class.
    lost: how many rows of the table of machine-made labels name none of the photos.
    """

    root: Path
    classes: tuple[str, ...]
    photos: tuple[Photo, ...]
    passed_over: tuple[PassedOver, ...] = ()
    broken: tuple[Path, ...] = ()
    closed: tuple[Path, ...] = ()
    loose: int = 0
    lost: int = 0

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class index of each photo, int64 (photos,)."""
        return np.array([photo.label for photo in self.photos], dtype=np.int64)

    @property
    def ignored(self) -> int:
        """How many files are passed over in all classes together."""
        return sum(one.count for one in self.passed_over)

    @property
    def machine_made(self) -> NDArray[np.int64]:
        """The indices of the photos whose labels a machine made."""
        return np.array([place for place, photo in enumerate(self.photos) if photo.sure is not None], np.int64)

    @property
    def sureness(self) -> Sureness | None:
        """How sure those labels are; None if a machine made none."""
        return Sureness.of([photo.sure for photo in self.photos if photo.sure is not None])


def list_photos(root: Path, *, min_photos: int = MIN_PHOTOS, visits: bool | None = False) -> Listing:
    """Find classes and photos under `root`: class folders, or train/val/test folders of class folders.

    Raises MissingInputError if there is no folder; DatasetError if there is only one class, a class has no photos or
    fewer than min_photos, or splits have different classes. With min_photos 0, classes may be empty; the dataset
    check reports them itself. visits: as for check_nested."""
    try:
        there = root.is_dir()
    except OSError as error:  # such as a name of over 255 bytes
        raise MissingInputError(f"{root}: cannot read: {error.strerror or error}") from error
    if not there:
        raise MissingInputError(f"{root}: no such folder: give a folder with one folder of photos per class")
    places = _places(root)
    per_split = folders_of_classes(places)
    for split in places.keys() - {None}:
        check_other_layouts(places[split], per_split[split])
    classes = tuple(sorted({folder.name for folders in per_split.values() for folder in folders}))
    _check_classes(root, classes)
    for split, class_folders in per_split.items():
        # Parts keep the folders of the photos that they were cut from.
        check_nested(places[split], class_folders, visits=(root / CROP_NAME).is_file() or visits)
    for split, class_folders in per_split.items():
        if missing := sorted(set(classes) - {folder.name for folder in class_folders}):
            raise DatasetError(f"{places[split]}: class folder {missing[0]!r} is missing there: every split needs it")
    gathered = _Gathered(classes)
    for split, class_folders in per_split.items():
        for folder in class_folders:
            gathered.add(folder, split)
    found = gathered.passed_over()
    photos, lost = _marked(root, gathered.photos)
    if gathered.empty and min_photos:
        raise DatasetError(_no_photos(root, gathered, found) + folder_to_give(root))
    _check_counts(root, classes, photos, found, min_photos)
    around = {root, *places.values()}
    taken = {folder for folders in per_split.values() for folder in folders}
    closed = [*gathered.closed, *(folder for place in around for folder in closed_in(place) if folder not in taken)]
    loose = sum(map(loose_photos, around))
    return Listing(root, classes, photos, found, tuple(gathered.broken), tuple(sorted(closed)), loose, lost)


def _marked(root: Path, photos: Sequence[Photo]) -> tuple[tuple[Photo, ...], int]:
    """Return `photos` with how sure machine-made labels are, and how many rows of their table name none of them."""
    sure = read_machine_labels(root)
    if not sure:
        return tuple(photos), 0
    names = [photo.path.relative_to(root).as_posix() for photo in photos]
    marked = tuple(replace(photo, sure=sure.get(name)) for photo, name in zip(photos, names, strict=True))
    return marked, len(sure.keys() - set(names))


def _places(root: Path) -> dict[Split | None, Path]:
    """Return the folders of the class folders: those of the splits, or `root` itself."""
    folders = folders_in(root)
    check_other_layouts(root, folders)  # before splits are looked for: a tool may have some in each of its folders
    named_so = [folder for folder in folders if folder.name.lower() in _ALIASES]
    splits = {_ALIASES[folder.name.lower()]: folder for folder in named_so}
    if "train" not in splits or len(named_so) < 2:
        check_split_names(root, folders)
        check_classes_of_splits(root, folders)
        return {None: root}
    if len(splits) < len(folders):
        others = sorted({folder.name for folder in folders} - {folder.name for folder in splits.values()})
        raise DatasetError(
            f"{root}: {others[0]!r} is beside the split folders: only one each of train, val and test may be "
            "there: move it elsewhere"
        )
    check_splits(root, splits.values())
    return {split: splits[split] for split in SPLITS if split in splits}


class _Gathered:
    """The photos of all class folders, and what lies beside them.

    empty: class folders without photos.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self._numbers = {name: number for number, name in enumerate(classes)}
        self._others: dict[str, list[str]] = {name: [] for name in classes}
        self.photos: list[Photo] = []
        self.broken: list[Path] = []
        self.closed: list[Path] = []
        self.empty: list[Path] = []

    def add(self, folder: Path, split: Split | None) -> None:
        """Look through the class folder `folder`. Raises DatasetError if it is no class folder, MissingInputError."""
        if (folder / MANIFEST_HASH).is_file():
            raise DatasetError(f"{folder}: is a model bundle, not a class: move it out of the photos")
        tree = look_through(folder)
        found = photos_of(folder, tree)
        self.photos += [Photo(path, self._numbers[folder.name], split) for path in found]
        self._others[folder.name] += others_of(tree, found)
        self.broken += [entry for entry in tree.files if _is_broken(entry) and is_image_name(entry.relative_to(folder))]
        self.closed += tree.closed
        self.empty += [] if found else [folder]

    def passed_over(self) -> tuple[PassedOver, ...]:
        """Return what is passed over, for each class that has such files."""
        photos = Counter(photo.label for photo in self.photos)
        return tuple(
            passed_over(name, photos[self._numbers[name]], names) for name, names in self._others.items() if names
        )


def _is_broken(entry: Path) -> bool:
    return entry.is_symlink() and not entry.exists()


def _no_photos(root: Path, gathered: _Gathered, found: Sequence[PassedOver]) -> str:
    empty = gathered.empty
    links = sum(path.is_relative_to(folder) for folder in empty for path in gathered.broken)
    where = f" ({links} links there lead nowhere)" if links else ""
    there = _there(found, {folder.name for folder in empty})
    if len(empty) == 1:
        return f"{empty[0]}: no photos (JPEG, PNG, BMP, WebP, TIFF){where}{there}: add some or remove the folder"
    folders = named(str(folder.relative_to(root)) for folder in empty)
    return f"{root}: no photos (JPEG, PNG, BMP, WebP, TIFF) in {folders}{where}{there}: add some or remove the folders"


def _there(found: Sequence[PassedOver], classes: Container[str]) -> str:
    """Return what is passed over in `classes`, to follow a message about them; '' if nothing is."""
    lines = [one.words() for one in found if one.name in classes]
    more = f"; and in {len(lines) - _MOST_LINES} more" if len(lines) > _MOST_LINES else ""
    return f" [{'; '.join(lines[:_MOST_LINES])}{more}]" if lines else ""


def _check_classes(root: Path, classes: tuple[str, ...]) -> None:
    if not classes:
        above = f", or give the folder above, if these are the photos of {root.name!r}" if holds_photos(root) else ""
        raise DatasetError(f"{root}: no class folders: put the photos of each class into a folder of its name{above}")
    if len(classes) == 1:
        raise DatasetError(
            f"{root}: one class only ({classes[0]!r}), must be 2 or more: add a folder of photos of what it is not"
            + (folder_to_give(root) or _closed_beside(root))
        )
    for name in classes:
        if problem := label_problem(name):
            instead = ", or give its photos with --outside instead" if is_unknown(name) else ""
            which = "one class folder" if name == UNKNOWN else f"class folder {name!r}"  # the problem repeats the name
            raise DatasetError(f"{root}: {which} {problem}: {label_fix(name)}{instead}")
    if alike := twins(classes):
        first, second, *_ = next(iter(alike.values()))
        raise DatasetError(
            f"{root}: two class folders look like {classes[first]!r}: {_difference(classes[first], classes[second])}: "
            "rename one, or put their photos together"
        )


def _closed_beside(root: Path) -> str:
    """Return a hint, to follow a message: which folders with photos are no classes by their names; '' if none are."""
    if not (lines := closed_with_photos(closed_in(root))):
        return ""
    more = f" and {len(lines) - _MOST_LINES} more" if len(lines) > _MOST_LINES else ""
    return f"; not looked into: {', '.join(lines[:_MOST_LINES])}{more}: rename what is a class"


def _difference(one: str, other: str) -> str:
    """Return in words where two names that look the same differ first."""
    pairs = zip_longest(one, other, fillvalue="")
    place, (mine, its) = next((at, pair) for at, pair in enumerate(pairs, 1) if pair[0] != pair[1])
    return f"their character {place} is {_named(mine)} in one, {_named(its)} in the other"


def _named(character: str) -> str:
    if not character:
        return "missing"
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".strip()


def _check_counts(
    root: Path, classes: tuple[str, ...], photos: Sequence[Photo], found: Sequence[PassedOver], least: int
) -> None:
    # Photos that a machine labelled are in no validation and no test.
    counts = Counter(photo.label for photo in photos if photo.sure is None)
    small = {name: counts[label] for label, name in enumerate(classes) if counts[label] < least}
    if not small:
        return
    there = _there(found, small)
    if len(small) == 1:
        ((name, count),) = small.items()
        raise DatasetError(f"{root}: class {name!r} has {counted(count, 'photo')}, at least {least}{there}: add some")
    raise DatasetError(
        f"{root}: {len(small)} classes have {counted(max(small.values()), 'photo')} or fewer, at least {least} "
        f"each{there}: add some, or remove the folders: {named(small)}"
    )

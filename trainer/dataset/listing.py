"""List the classes and photo files of a folder by their names; trainer.dataset.photos decodes the files."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.bundle.store import MANIFEST_HASH
from edge.decision import UNKNOWN
from edge.errors import DatasetError, MissingInputError
from edge.images import find_files, find_images, is_image_name, is_out_of_bounds, readable_name

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
SHARES = {"train": 0.70, "val": 0.15, "test": 0.15}
# Of each class, one photo for each split and a second one for train.
MIN_PHOTOS = 4
_MOST_NAMED = 10  # classes in one message
# Invisible, but legitimate inside names: of emoji, and of words in Persian and Indic scripts.
_JOINERS = "\u200c\u200d"
_ALIASES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_SPLIT_LIKE = re.compile(
    r"(^|[_\- ])(train(ing)?|val(id(ation)?)?|test(ing)?|eval(uation)?|dev|holdout)([_\- ]|$)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Photo:
    """A file, the index of its class, and the split that its folder names, if any."""

    path: Path
    label: int
    split: Split | None


@dataclass(frozen=True, slots=True)
class Listing:
    """All photos under one folder, in a fixed order.

    root: the folder.
    classes: names, sorted; the index of a name is the class's label.
    photos: the files.
    ignored: how many files are no photos by their names.
    broken: symbolic links with a photo's name that lead nowhere.
    """

    root: Path
    classes: tuple[str, ...]
    photos: tuple[Photo, ...]
    ignored: int
    broken: tuple[Path, ...] = ()

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class index of each photo, int64 (photos,)."""
        return np.array([photo.label for photo in self.photos], dtype=np.int64)


def list_photos(root: Path, *, min_photos: int = MIN_PHOTOS) -> Listing:
    """Find classes and photos under `root`: class folders, or train/val/test folders of class folders.

    Raises MissingInputError if there is no folder; DatasetError if there is only one class, a class has no photos or
    fewer than min_photos, or splits have different classes. With min_photos 0, classes may be empty; the dataset
    check reports them itself."""
    if not root.is_dir():
        raise MissingInputError(f"{root}: no such folder: give a folder with one folder of photos per class")
    folders = _folders(root)
    named = [folder for folder in folders if folder.name.lower() in _ALIASES]
    splits = {_ALIASES[folder.name.lower()]: folder for folder in named}
    if "train" in splits and len(named) > 1:
        if len(splits) < len(folders):
            others = sorted({folder.name for folder in folders} - {folder.name for folder in splits.values()})
            raise DatasetError(
                f"{root}: {others[0]!r} is beside the split folders: only one each of train, val and test may be "
                "there: move it elsewhere"
            )
        per_split: dict[Split | None, list[Path]] = {s: _folders(f) for s, f in splits.items()}
    else:
        _check_split_names(root, folders)
        per_split = {None: folders}
    classes = tuple(sorted({folder.name for folders in per_split.values() for folder in folders}))
    _check_classes(root, classes)
    numbers = {name: number for number, name in enumerate(classes)}
    photos: list[Photo] = []
    ignored = 0
    broken: list[Path] = []
    empty: list[Path] = []
    for split, class_folders in per_split.items():
        where = splits[split] if split else root
        if missing := sorted(set(classes) - {folder.name for folder in class_folders}):
            raise DatasetError(f"{where}: class folder {missing[0]!r} is missing there: every split needs it")
        for folder in class_folders:
            if (folder / MANIFEST_HASH).is_file():
                raise DatasetError(f"{folder}: is a model bundle, not a class: move it out of the photos")
            found = find_images(folder)
            entries = find_files(folder)
            ignored += sum(entry.is_file() for entry in entries) - len(found)
            broken += [entry for entry in entries if _is_broken(entry) and is_image_name(entry.relative_to(folder))]
            empty += [] if found else [folder]
            photos += [Photo(path, numbers[folder.name], split) for path in found]
    if empty and min_photos:
        raise DatasetError(_no_photos(root, empty, broken))
    _check_counts(root, classes, photos, min_photos)
    return Listing(root, classes, tuple(photos), ignored, tuple(broken))


def _check_split_names(root: Path, folders: Sequence[Path]) -> None:
    """Raise DatasetError if folders are named like splits, but not as this program names them."""
    # They would be taken for classes, and the model would learn to distinguish train from test.
    alike = [folder for folder in folders if _SPLIT_LIKE.search(folder.name) and not _holds_photos(folder)]
    if len(alike) > 1 or (alike and len(folders) == 1):
        raise DatasetError(
            f"{root}: {named(folder.name for folder in alike)} look like splits, not classes, because their photos are "
            "in sub-folders: name them train, val and test, or give the folder of classes itself"
        )


def _holds_photos(folder: Path) -> bool:
    return any(is_image_name(Path(entry.name)) for entry in _entries(folder))


def named(names: Iterable[str]) -> str:
    """Return up to ten names, each in quotes, and how many more there are."""
    shown = [repr(name) for name in names]
    more = len(shown) - _MOST_NAMED
    return ", ".join(shown[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _is_broken(entry: Path) -> bool:
    return entry.is_symlink() and not entry.exists()


def _no_photos(root: Path, empty: list[Path], broken: list[Path]) -> str:
    links = sum(path.is_relative_to(folder) for folder in empty for path in broken)
    where = f" ({links} links there lead nowhere)" if links else ""
    if len(empty) == 1:
        return f"{empty[0]}: no photos (JPEG, PNG, BMP, WebP, TIFF){where}: add some or remove the folder"
    folders = named(str(folder.relative_to(root)) for folder in empty)
    return f"{root}: no photos (JPEG, PNG, BMP, WebP, TIFF) in {folders}{where}: add some or remove the folders"


def _folders(root: Path) -> list[Path]:
    """Return the folders that can be classes: not hidden ones, nor a file system's own."""
    return [entry for entry in _entries(root) if entry.is_dir() and not is_out_of_bounds(entry.name)]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise MissingInputError(f"{readable_name(folder)}: cannot read: {error.strerror or error}") from error


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
                f"{root}: class folder {name!r}: the device reports this name when no class fits: choose another name"
            )
        if name != name.strip() or name != name.strip(_JOINERS):
            raise DatasetError(f"{root}: class folder {name!r}: blanks or joiners at its ends: rename it")
        if bad := next((c for c in name if not c.isprintable() and c not in _JOINERS), None):
            raise DatasetError(f"{root}: class folder {name!r}: holds {_described(bad)}, unprintable: rename it")


def _check_counts(root: Path, classes: tuple[str, ...], photos: list[Photo], least: int) -> None:
    counts = Counter(photo.label for photo in photos)
    small = [(name, counts[label]) for label, name in enumerate(classes) if counts[label] < least]
    if len(small) == 1:
        raise DatasetError(f"{root}: class {small[0][0]!r} has {small[0][1]} photos, at least {least}: add some")
    if small:
        few = max(count for _, count in small)
        raise DatasetError(
            f"{root}: {len(small)} classes have {few} photos or fewer, at least {least} each: add some, or remove the "
            f"folders: {named(name for name, _ in small)}"
        )


def _described(character: str) -> str:
    """Return a character's code and name, such as 'U+202E RIGHT-TO-LEFT OVERRIDE'."""
    if "\udc80" <= character <= "\udcff":  # Python's stand-in for a byte of a file name that it cannot decode
        return f"the byte 0x{ord(character) - 0xDC00:02X}, which is not UTF-8"
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()

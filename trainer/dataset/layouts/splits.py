"""Recognize folders that are not laid out as classes: splits without classes, the classes one folder deeper."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from edge.errors import DatasetError, MissingInputError
from edge.images import readable_name
from edge.photo_files import are_a_class, find_images, is_closed, is_everyday, is_image_name, is_out_of_bounds, is_photo

_S = TypeVar("_S")
_MOST_NAMED = 10  # folders in one message
_DEEPEST = 4  # folders that each hold only the next: archive/archive/photos/...
_KINDS = {
    "train": r"train(?:ing)?",
    "val": r"val(?:id(?:ation)?)?|eval(?:uation)?|dev",
    "test": r"test(?:ing|s)?|holdout",
}
_SPLIT = {
    kind: rf"(?:{words})(?:[_\- ]?(?:set|data|split|images|imgs|photos|pictures))?\d*" for kind, words in _KINDS.items()
}
# In a name of several words, such as images-train, and as the whole name.
_LIKE = {kind: re.compile(rf"(?:^|[_\- .])(?:{split})(?:[_\- .]|$)", re.IGNORECASE) for kind, split in _SPLIT.items()}
_WHOLE = {kind: re.compile(split, re.IGNORECASE) for kind, split in _SPLIT.items()}


def check_split_names(root: Path, folders: Sequence[Path]) -> None:
    """Raise DatasetError if folders are named like splits, but not as this program names them, or hold photos without
    class folders."""
    # They would be taken for classes, and the model would learn to distinguish train from test.
    alike = {folder: kind for folder in folders if (kind := _kind_of(folder.name, _LIKE))}
    flat = [folder for folder in alike if holds_photos(folder)]
    nested = [folder for folder in alike if folder not in flat]
    if len(nested) > 1 or (nested and len(folders) == 1):
        raise DatasetError(
            f"{root}: {named(folder.name for folder in nested)} look like splits, not classes, because their photos "
            "are in sub-folders: name them train, val and test, or give the folder of classes itself"
        )
    # A class may be named train, beside tram and bus; but hardly another one test.
    whole = {kind for folder in alike if (kind := _kind_of(folder.name, _WHOLE))}
    if flat and (len(folders) == 1 or len(whole) > 1 or (len(alike) == len(folders) and len(set(alike.values())) > 1)):
        raise DatasetError(_flat(root, alike, flat))


def check_splits(root: Path, splits: Iterable[Path]) -> None:
    """Raise DatasetError if one of the folders `splits`, whose names are those of splits, holds no class folders but
    photos."""
    flat = [folder for folder in splits if not folders_in(folder) and holds_photos(folder)]
    if flat:
        raise DatasetError(_flat(root, splits, flat))


def check_classes_of_splits(root: Path, classes: Sequence[Path]) -> None:
    """Raise DatasetError if all class folders hold splits instead of photos: owl/train, owl/test, wren/train, ..."""
    # Without this, all would be mixed and split anew, and the user's own test photos would be trained on.
    kinds = [[_kind_of(folder.name, _WHOLE) for folder in folders_in(place)] for place in classes]
    turned = all("train" in found and len(set(found)) > 1 and None not in found for found in kinds)
    if len(classes) > 1 and turned and not any(holds_photos(place) for place in classes):
        first = classes[0].name
        raise DatasetError(
            f"{root}: each class holds splits, such as {first}/train: turn them round, such as train/{first}"
        )


def _flat(root: Path, alike: Iterable[Path], flat: Sequence[Path]) -> str:
    return (
        f"{root}: {named(folder.name for folder in alike)} look like splits, not classes, and the photos in "
        f"{named(folder.name for folder in flat)} are in no class folder: put those of each class into a folder of "
        "its name, such as train/owl, or remove the folder"
    )


def _kind_of(name: str, kinds: Mapping[str, re.Pattern[str]]) -> str | None:
    match = "fullmatch" if kinds is _WHOLE else "search"
    return next((kind for kind, pattern in kinds.items() if getattr(pattern, match)(name)), None)


def folder_to_give(root: Path) -> str:
    """Return a hint, to follow a message: which folder below `root` seems to hold the classes; '' if none does."""
    place = root
    for _ in range(_DEEPEST):
        holding = [folder for folder in folders_in(place) if holds_any(folder)]
        if len(holding) != 1 or holds_photos(holding[0]):
            break
        place = holding[0]
    if place == root or len(holding) < 2:
        return ""
    return f"; or give {readable_name(place)}, which holds {named(folder.name for folder in holding)}"


def folders_in(root: Path) -> list[Path]:
    """Return the folders that can be classes: not hidden ones, nor those of systems. Raises MissingInputError."""
    return _entries(root, lambda entry: entry.is_dir() and not is_closed(entry))


def folders_of_classes(places: Mapping[_S, Path]) -> dict[_S, list[Path]]:
    """Return the folders that can be classes in each of `places`, those of the splits. Raises MissingInputError."""
    found = {split: folders_in(place) for split, place in places.items()}
    shut = [folder for place in places.values() for folder in closed_in(place) if is_everyday(folder.name)]
    # One split alone may hold too few photos of a class such as 'recycled'.
    for name in {folder.name for folder in shut}:
        alike = [folder for folder in shut if folder.name == name]
        if any(folder.name == name for folders in found.values() for folder in folders) or are_a_class(alike):
            for split, place in places.items():
                found[split] = sorted({*found[split], *(folder for folder in alike if folder.parent == place)})
    return found


def closed_in(root: Path) -> list[Path]:
    """Return the other folders in `root`: hidden ones, and those of systems. Raises MissingInputError."""
    return _entries(root, lambda entry: entry.is_dir() and is_closed(entry))


def closed_with_photos(folders: Iterable[Path]) -> list[str]:
    """Return a line for each of `folders`, which were not looked into, that holds photos: its name and their number.
    Raises MissingInputError."""
    return [
        f"{readable_name(folder.name)!r} ({photos} photo{'s' if photos > 1 else ''})"
        for folder in folders
        if (photos := len(find_images(folder)))
    ]


def loose_photos(folder: Path) -> int:
    """Return how many photos are in `folder` itself. Raises MissingInputError."""
    return len(_entries(folder, is_photo))


def holds_photos(folder: Path) -> bool:
    """Return whether photos are in `folder` itself, or links that look like some. Raises MissingInputError."""
    return bool(_entries(folder, lambda entry: is_image_name(Path(entry.name)) or is_photo(entry)))


def named(names: Iterable[str]) -> str:
    """Return up to ten names, each in quotes, and how many more there are."""
    shown = [repr(name) for name in names]
    more = len(shown) - _MOST_NAMED
    return ", ".join(shown[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def holds_any(folder: Path) -> bool:
    """Return whether photos are in `folder` or anywhere below it. Raises MissingInputError."""
    for place, folders, _ in os.walk(folder):
        folders[:] = [name for name in folders if not is_out_of_bounds(name)]
        if holds_photos(Path(place)):
            return True
    return False


def _entries(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    try:
        return [entry for entry in sorted(folder.iterdir()) if wanted(entry)]
    except OSError as error:
        raise MissingInputError(f"{readable_name(folder)}: cannot read: {error.strerror or error}") from error

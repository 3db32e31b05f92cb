"""Recognize classes that lie one folder deeper than they are looked for: under days, cameras, folds or kinds of copies.

Taken as they are, the model would learn color against grayscale, or camera 1 against camera 2."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edge.errors import DatasetError
from edge.images import readable_name
from trainer.dataset.layouts.splits import folders_in, holds_photos, named

# What `fieldfare dataset crop` leaves beside parts.
CROP_NAME = "fieldfare-crop.json"
_MOST = 0.8  # of the classes hold a sub-folder of this name: "most"
# How people name visits, places, times, views and ages: what divides the photos of a class, and is none.
_PART = re.compile(
    r"[\W_]*(\d[\d\W_a-z]{0,30}|\w{0,20}[\W_]?\d{1,8}|day|night|dawn|dusk|morning|evening|summer|winter|spring|autumn|fall|"
    r"jan\w*|feb\w*|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sep\w*|oct\w*|nov\w*|dec\w*|left|right|front|back|rear|"
    r"side|top|bottom|adults?|juveniles?|young|chicks?|males?|females?|raw|rgb|ir|nir|thermal|infrared|colou?rs?|"
    r"gr[ae]y(scale)?|segmented|cropped|originals?|orig|augmented|aug|train\w*|val\w*|test\w*|misc|other|indoors?|"
    r"outdoors?|sunny|cloudy|rainy?)[\W_]*",
    re.IGNORECASE,
)
# Names that are rather those of times, cameras and copies than of classes.
_RATHER_NO_CLASS = re.compile(
    r"(day|night|dawn|dusk|colou?r|gr[ae]y(scale)?|segmented|cropped|originals?|augmented|raw|rgb|ir|thermal|infrared|"
    r"(fold|k|cam|camera|site|station|split|part|batch|set|session|round|version|v)[\W_]*\d+)s?",
    re.IGNORECASE,
)


def check_nested(root: Path, folders: Sequence[Path], *, visits: bool | None) -> None:
    """Raise DatasetError if the class folders `folders` hold class folders instead of photos.

    visits: whether the user has made known that sub-folders of classes are visits, and no classes; None if the command
    has no option for it: then only folders that are hardly classes are refused."""
    if len(folders) < 2:
        return
    inside = {folder: {one.name for one in folders_in(folder)} for folder in folders if not holds_photos(folder)}
    names = {folder.name for folder in folders}
    for folder, found in inside.items():
        beside = found & (names - {folder.name})
        if len(beside) > 1 and 2 * len(beside) >= len(found):
            raise DatasetError(
                f"{root}: {readable_name(folder.name)!r} is no class: it holds {named(sorted(beside))}, as the folders "
                "beside it are called: put the photos of each class together, or move it elsewhere"
            )
    shared = [] if visits else _shared(list(inside.values()), len(folders))
    odd = all(_RATHER_NO_CLASS.fullmatch(name) for name in names)
    parts = all(map(_PART.fullmatch, shared))
    if shared and ((odd and not parts) if visits is None else (odd or not parts)):
        way = "begin their names with a number or date" if visits is None else "add --group-by folder"
        example = readable_name(next(iter(inside)))
        raise DatasetError(
            f"{root}: {named(sorted(folder.name for folder in inside))} each hold folders of the same names, "
            f"{named(shared)}: if these are the classes, give one folder of them, such as {example}, or put the photos "
            f"of each together; if they are visits, {way}"
        )


def _shared(inside: Sequence[set[str]], classes: int) -> list[str]:
    """Return the names of sub-folders that most of the classes have, sorted; none if they are not most of all."""
    counts = Counter(name for names in inside for name in names)
    shared = sorted(name for name, count in counts.items() if count >= 2 and count >= _MOST * classes)
    return shared if len(shared) > 1 and 2 * len(shared) >= len(counts) else []

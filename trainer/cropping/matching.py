"""Find the photos that a file of boxes names."""

import unicodedata
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import DatasetError
from edge.images import readable_name
from edge.printable import printable
from trainer.cropping.boxes import BoxFile, Entry


@dataclass(frozen=True, slots=True)
class Matched:
    """Photos and what a file of boxes has of each.

    entries: in the order of the photos; None: the file does not name it, or names several that it could be.
    ambiguous: how many photos have several names there. left_over: how many names of the file are no photo's.
    """

    entries: tuple[Entry | None, ...]
    ambiguous: int
    left_over: int


def match(found: BoxFile, root: Path, photos: Sequence[Path], *, by_name: bool) -> Matched:
    """Return what `found` has of each of the `photos` below `root`.

    A name in the file is the path below `root`, or a longer one that ends so; by_name: the file names alone count.
    Raises DatasetError if not one photo is named.
    """
    keys = [_key(photo.name if by_name else photo.relative_to(root).as_posix()) for photo in photos]
    known = Counter(keys)
    names: dict[str, list[str]] = {}
    for name in found.entries:
        key = _known_end(_key(name), known, by_name=by_name)
        if key is not None:
            names.setdefault(key, []).append(name)
    entries: list[Entry | None] = []
    ambiguous = 0
    for key in keys:
        meant = names.get(key, [])
        several = len(meant) > 1 or (bool(meant) and known[key] > 1)
        ambiguous += several
        entries.append(found.entries[meant[0]] if meant and not several else None)
    if not any(entry is not None for entry in entries):
        raise DatasetError(_none_named(found, root, photos, ambiguous, by_name=by_name))
    return Matched(tuple(entries), ambiguous, len(found.entries) - sum(map(len, names.values())))


def _known_end(name: str, known: Container[str], *, by_name: bool) -> str | None:
    """Return the photo's key that the path `name` is, or ends with."""
    if by_name:
        last = name.rpartition("/")[2]
        return last if last in known else None
    while name not in known:
        _, slash, name = name.partition("/")
        if not slash:
            return None
    return name


def _none_named(found: BoxFile, root: Path, photos: Sequence[Path], ambiguous: int, *, by_name: bool) -> str:
    if ambiguous:
        return f"--boxes {found.name}: each photo has several entries there: give the folder that its names begin at"
    if not found.entries:
        return f"--boxes {found.name}: names no photo at all"
    theirs, ours = printable(next(iter(found.entries)))[:200], readable_name(photos[0].relative_to(root))
    way = "" if by_name else ", or add --by-name if the photos were moved since"
    return (
        f"--boxes {found.name}: names none of the {len(photos)} photos in {readable_name(root)}: it has names as "
        f"{theirs!r}, and a photo there is {ours!r}: give its own photos{way}"
    )


def _key(name: str) -> str:
    """Return one spelling for all that tools write: either slash, with or without ./, composed or split accents."""
    return unicodedata.normalize("NFC", name.strip().replace("\\", "/")).removeprefix("./")

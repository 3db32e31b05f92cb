"""Write groups to a folder: a table, folders of photos, and a page of contact sheets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.exports.copying.names import safe_name
from edge.exports.tables import csv_bytes
from trainer.dataset.photo_folders import FreeNames, write_photos
from trainer.grouping.group import Grouping
from trainer.grouping.naming import Name
from trainer.progress import Progress

Photos = Literal["links", "copies", "none"]
PHOTOS: tuple[Photos, ...] = ("links", "copies", "none")
TABLE, PAGE = "groups.csv", "groups.html"
UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Result:
    """What is written.

    root: the folder of photos
    paths: the photos
    grouping: their groups
    names: of each group, if a bundle was given
    """

    root: Path
    paths: Sequence[Path]
    grouping: Grouping
    names: Sequence[Name | None] = ()

    def folder(self, number: int) -> str:
        """Return the name of the folder of group `number`, such as group-07 or group-07-fox."""
        if number == 0:
            return UNSURE
        name = self.names[number - 1] if self.names else None
        digits = max(2, len(str(self.grouping.groups)))
        return f"group-{number:0{digits}}" + (f"-{safe_name(name.label)}" if name else "")

    def members(self, number: int) -> NDArray[np.int64]:
        """Return the photos of group `number` in order, int64."""
        order = self.grouping.order
        found: NDArray[np.int64] = order[self.grouping.numbers[order] == number]
        return found

    def file(self, photo: int) -> str:
        """Return the photo's name below the folder of photos, with slashes."""
        return self.paths[photo].relative_to(self.root).as_posix()


def write_result(out: Path, result: Result, page: str, *, photos: Photos, by_visit: bool, progress: Progress) -> None:
    """Write all of it to `out`, which must not exist, whole or not at all.

    by_visit: photos of one visit go into a folder of their own in that of their group

    Raises OutputExistsError, StorageError, MissingInputError if a photo cannot be read any more."""
    places = {} if photos == "none" else _places(result, by_visit=by_visit)
    write_photos(
        out,
        {place: result.paths[photo] for photo, place in places.items()},
        {TABLE: csv_bytes(_rows(result, places)), PAGE: page.encode()},
        copy=photos == "copies",
        progress=progress,
        copy_option="--photos copies",
    )


def _rows(result: Result, places: dict[int, str]) -> Iterator[tuple[str | int, ...]]:
    """Yield the rows of the table, its heading first, in the order of the groups."""
    grouping = result.grouping
    yield "file", "group", "class", "score", "visit", "counted_with", "place"
    for photo in grouping.order.tolist():
        number = int(grouping.numbers[photo])
        name = result.names[number - 1] if number and result.names else None
        other = int(grouping.counted_with[photo])
        yield (
            result.file(photo),
            number or UNSURE,
            name.label if name else "",
            f"{name.score:.3f}" if name else "",
            int(grouping.visits[photo]) or "",
            result.file(other) if other != photo else "",
            places.get(photo, ""),
        )


def _places(result: Result, *, by_visit: bool) -> dict[int, str]:
    """Return the place of each photo below the result's folder, in order."""
    places: dict[int, str] = {}
    names = FreeNames()
    for photo in result.grouping.order.tolist():
        parts = [result.folder(int(result.grouping.numbers[photo]))]
        visit = int(result.grouping.visits[photo])
        if by_visit and visit:
            parts.append(f"visit-{visit:05}")
        places[photo] = names.free("/".join([*parts, result.paths[photo].name]))
    return places

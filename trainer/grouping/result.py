"""Write groups to a folder: a table, folders of photos, and a page of contact sheets."""

import csv
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.errors import MissingInputError, StorageError
from edge.exports.copying.names import safe_name
from edge.images import readable_name
from edge.portable.system import refuses_links
from edge.storage import new_directory
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
    with new_directory(out) as folder:
        places = _places(result, by_visit=by_visit)
        with (folder / TABLE).open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            csv.writer(file).writerows(_rows(result, places if photos != "none" else {}))
        (folder / PAGE).write_text(page, encoding="utf-8")
        if photos == "none":
            return
        with progress.stage("photos", len(places)) as advance:
            for photo, place in places.items():
                _bring(result.paths[photo], folder / place, photos)
                advance(1)


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
    """Return where each photo goes, below the result's folder, in order; no two differ only by case."""
    places: dict[int, str] = {}
    taken: set[str] = set()
    for photo in result.grouping.order.tolist():
        parts = [result.folder(int(result.grouping.numbers[photo]))]
        visit = int(result.grouping.visits[photo])
        if by_visit and visit:
            parts.append(f"visit-{visit:05}")
        path = result.paths[photo]
        names = [path.name, *(f"{path.stem}-{count}{path.suffix}" for count in range(2, 4))]
        inner = "/".join(parts)
        name = next((name for name in names if f"{inner}/{name}".casefold() not in taken), None)
        # Cards number their pictures anew in each folder: with many folders the photo's own number decides.
        name = name or f"{path.stem}-{photo:07}{path.suffix}"
        taken.add(f"{inner}/{name}".casefold())
        places[photo] = f"{inner}/{name}"
    return places


def _bring(source: Path, target: Path, how: Photos) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        times = source.stat()
        file = nullcontext() if how == "links" else source.open("rb")
    except OSError as error:
        raise MissingInputError(
            f"{readable_name(source)}: cannot be read any more ({error.strerror or error}): nothing was written: is "
            "the card still there?"
        ) from error
    with file as opened:
        if opened is None:
            _link(source, target)
            return
        with target.open("xb") as copy:
            shutil.copyfileobj(opened, copy, 1 << 20)
    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))


def _link(source: Path, target: Path) -> None:
    try:
        target.symlink_to(os.path.realpath(source))
    except OSError as error:
        if refuses_links(error):
            raise StorageError(f"{target.parent}: no links can be made there: add --photos copies") from error
        raise

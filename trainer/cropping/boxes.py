"""Boxes as other tools write them: what is in a file of boxes, whatever its format."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from edge.errors import DatasetError, MissingInputError
from edge.images import readable_name
from edge.storage import read_bounded

Unit = Literal["shares", "pixels"]
Four = tuple[float, float, float, float]

# MegaDetector's boxes of a million pictures are 200 MB. As records they take 7 times that (measured, November 2026).
MAX_BYTES = 256 << 20
_NO_SHARE = 2.0  # a share above is none; a box may lie outside its picture
_ONE_PIXEL = 1.0
_SURE = 1.001  # the highest score, with what rounding adds


class Given(NamedTuple):
    """A box: left, top, width and height in the file's unit, its score 0..1, and what it shows, '' if not known."""

    box: Four
    score: float
    category: str


@dataclass(slots=True)
class Entry:
    """What is known of one photo. size: width and height that the file claims, in pixels; None: it claims none.
    problem: why it cannot be read. failure: why the tool that wrote the file found nothing in it."""

    boxes: list[Given] = field(default_factory=list)
    size: tuple[float, float] | None = None
    problem: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class BoxFile:
    """A file of boxes.

    name: for messages. unit: of all its boxes. entries: by the photo's name as the file has it.
    main: of its categories, the one that counts if the user names none; None: all.
    no_label: why no box has a category; '' if they can have one.
    """

    name: str
    unit: Unit
    entries: dict[str, Entry]
    main: str | None = None
    no_label: str = ""

    @property
    def categories(self) -> set[str]:
        """Return what its boxes show."""
        return {given.category for given in self.boxes()}

    def boxes(self) -> Iterable[Given]:
        """Yield all of its boxes."""
        for entry in self.entries.values():
            yield from entry.boxes


def read_bytes(path: Path) -> bytes:
    """Read a file of boxes. Raises MissingInputError."""
    try:
        return read_bounded(path, MAX_BYTES, pipe=True)
    except OSError as error:
        raise MissingInputError(f"--boxes {readable_name(path)}: cannot read: {error.strerror or error}") from error


def check_numbers(found: BoxFile, fix: str) -> None:
    """Raise DatasetError if a score is above 1, or half of the boxes cannot be in the file's unit. fix: what to do
    then."""
    highest = max((given.score for given in found.boxes()), default=0.0)
    if highest > _SURE:  # percents would all pass the threshold
        raise DatasetError(
            f"--boxes {found.name}: a score (conf) of {highest:g}: must be 0 to 1: divide percents by 100"
        )
    # Not one alone: a single box far outside its picture is left out, and the others are good.
    wrong, count, first = 0, 0, None
    for given in found.boxes():
        count += 1
        if _is_other_unit(given.box, found.unit):
            wrong, first = wrong + 1, first or given.box
    if first is not None and 2 * wrong >= count:
        shown = ", ".join(f"{value:g}" for value in first)
        allowed = "0 to 1" if found.unit == "shares" else "pixels"
        raise DatasetError(f"--boxes {found.name}: {wrong} of {count} boxes are not in {allowed}, as {shown}: {fix}")


def _is_other_unit(box: Four, unit: Unit) -> bool:
    if unit == "shares":
        return max(map(abs, box)) > _NO_SHARE
    return 0 < max(box) <= _ONE_PIXEL

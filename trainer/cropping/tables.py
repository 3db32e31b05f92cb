"""Read boxes from a table: CSV with one box a line."""

import csv
import io
import math
from pathlib import Path

from edge.errors import DatasetError
from edge.images import readable_name
from trainer.cropping.boxes import BoxFile, Entry, Four, Given, Unit, check_numbers

_SIDES = ("left", "top", "width", "height")
# The columns of `fieldfare export` are understood as well.
_FORMS: tuple[tuple[tuple[str, ...], Unit], ...] = (
    (_SIDES, "shares"),
    (tuple(f"box_{side}" for side in _SIDES), "shares"),
    (tuple(f"{side}_px" for side in _SIDES), "pixels"),
)
_LEAST_SIDE = 2.0  # of a picture in pixels: less, and the columns of pixels hold shares
_WANTED = "file,left,top,width,height (shares of the picture) or file,left_px,top_px,width_px,height_px"
_FIX = {
    "shares": "name the columns left_px, top_px, width_px and height_px if they are pixels",
    "pixels": "name the columns left, top, width and height if they are shares of the picture",
}


def read_table(path: Path, data: bytes) -> BoxFile:
    """Read the boxes in `data`. Raises DatasetError, with the line, if it is no such table."""
    name = readable_name(path)
    try:
        text = data.decode("utf-8-sig")
        head = text.partition("\n")[0]
        # Spreadsheets write the delimiter of their country.
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))
        found = _boxes_of(name, rows)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"--boxes {name}: neither JSON nor a CSV file in UTF-8 ({error})") from error
    check_numbers(found, _FIX[found.unit])
    return found


def _boxes_of(name: str, rows: "csv.DictReader[str]") -> BoxFile:
    columns = rows.fieldnames or ()
    forms = [form for form in _FORMS if {"file", *form[0]} <= set(columns)]
    if not forms:
        known = ", ".join(map(repr, columns[:12])) or "none"
        raise DatasetError(f"--boxes {name}: has the columns {known}, must have {_WANTED}")
    (sides, unit), *others = forms
    entries: dict[str, Entry] = {}
    for row in rows:
        entry = entries.setdefault(row["file"] or "", Entry())
        where = f"--boxes {name}, line {rows.line_num}"
        box = _box(row, sides, where)
        for other, their_unit in others:
            theirs = _box(row, other, where)
            if (box is None) != (theirs is None) or (box and theirs and not _agree(box, theirs, their_unit)):
                raise DatasetError(
                    f"{where}: {','.join(sides)} and {','.join(other)} are not the same box: correct the line, or take "
                    "the columns of one kind out"
                )
        if box is not None:  # else a photo without one
            score = _number(row.get("score") or "1", where)
            entry.boxes.append(Given(box, score, (row.get("label") or "").strip()))
    return BoxFile(name, unit, entries, no_label="" if "label" in columns else "has no column 'label'")


def _box(row: dict[str, str], sides: tuple[str, ...], where: str) -> Four | None:
    """Return the box in these columns of a line; None if all of them are empty."""
    values = [row[side] or "" for side in sides]
    if not any(values):
        return None
    left, top, width, height = (_number(text, where) for text in values)
    return left, top, width, height


def _agree(shares: Four, other: Four, unit: Unit) -> bool:
    """Return whether a box in shares and one in `unit` are the same, in a picture of some size."""
    for axis in (0, 1):
        begin, end = shares[axis], shares[axis] + shares[axis + 2]
        their_begin, their_end = other[axis], other[axis] + other[axis + 2]
        if end <= 0 or their_end <= 0:  # outside, and left out later
            continue
        side = their_end / end if unit == "pixels" else 1.0
        # Pixels are rounded by half of one at each end, shares to three digits.
        slack = (1.5 if unit == "pixels" else 0.0) + 0.005 * side
        if (unit == "pixels" and side < _LEAST_SIDE) or abs(their_begin - begin * side) > slack:
            return False
        if abs(their_end - end * side) > slack:
            return False
    return True


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DatasetError(f"{where}: {text[:40]!r} is not a number: mend the line")
    return value

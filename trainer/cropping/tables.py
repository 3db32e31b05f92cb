"""Read boxes from a table: CSV with one box a line."""

import csv
import io
import math
from pathlib import Path

from edge.errors import DatasetError
from edge.images import readable_name
from trainer.cropping.boxes import BoxFile, Entry, Given, Unit, check_unit

_SIDES = ("left", "top", "width", "height")
# The columns of `fieldfare export` are understood as well.
_FORMS: tuple[tuple[tuple[str, ...], Unit], ...] = (
    (_SIDES, "shares"),
    (tuple(f"box_{side}" for side in _SIDES), "shares"),
    (tuple(f"{side}_px" for side in _SIDES), "pixels"),
)
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
    check_unit(found, _FIX[found.unit])
    return found


def _boxes_of(name: str, rows: "csv.DictReader[str]") -> BoxFile:
    columns = rows.fieldnames or ()
    form = next((form for form in _FORMS if {"file", *form[0]} <= set(columns)), None)
    if form is None:
        known = ", ".join(map(repr, columns[:12])) or "none"
        raise DatasetError(f"--boxes {name}: has the columns {known}, must have {_WANTED}")
    sides, unit = form
    entries: dict[str, Entry] = {}
    for row in rows:
        entry = entries.setdefault(row["file"] or "", Entry())
        values = [row[side] or "" for side in sides]
        if not any(values):  # a photo without a box
            continue
        where = f"--boxes {name}, line {rows.line_num}"
        left, top, width, height = (_number(text, where) for text in values)
        score = _number(row.get("score") or "1", where)
        entry.boxes.append(Given((left, top, width, height), score, (row.get("label") or "").strip()))
    return BoxFile(name, unit, entries)


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DatasetError(f"{where}: {text[:40]!r} is not a number: mend the line")
    return value

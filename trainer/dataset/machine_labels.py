"""Read and write the table of photos that a machine has labelled: machine-labels.csv beside the class folders.

Such photos are learned from, with less weight, and never chosen by or tested on. A photo that is moved to another class
folder, or whose row is deleted, counts as labelled by hand: so people correct or confirm a label.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.errors import DatasetError, MissingInputError
from edge.images import readable_name
from edge.storage import read_bounded
from trainer.dataset.tables import MOST_BYTES, read_table

MACHINE_LABELS = "machine-labels.csv"
_COLUMNS = ("file", "label", "sure")


@dataclass(frozen=True, slots=True)
class MachineLabel:
    """A label that no person gave.

    file: below the folder of class folders, with / between folders.
    label: the class.
    sure: how sure it is, 0..1.
    """

    file: str
    label: str
    sure: float


def write_machine_labels(rows: Iterable[MachineLabel]) -> bytes:
    """Return the table as the bytes of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows((row.file, row.label, f"{row.sure:.4f}") for row in rows)
    # Names of files may hold bytes that are no text: they come back as they were.
    return text.getvalue().encode("utf-8", "surrogateescape")


def read_machine_labels(root: Path) -> dict[str, float]:
    """Return how sure the label of each file in the table under `root` is; nothing if there is no table.

    Raises MissingInputError if it cannot be read; DatasetError if it is no such table."""
    path = root / MACHINE_LABELS
    shown = readable_name(path)
    try:
        data = read_bounded(path, MOST_BYTES)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise MissingInputError(f"{shown}: cannot read: {error.strerror or error}") from error
    rows = read_table(data, errors="surrogateescape")
    try:
        if missing := [name for name in _COLUMNS if name not in (rows.fieldnames or ())]:
            raise DatasetError(f"{shown}: no column {missing[0]!r}: take the table that `dataset spread` wrote")
        return {row["file"]: _sure(row["sure"], f"{shown}, line {rows.line_num}") for row in rows if row["file"]}
    except csv.Error as error:
        raise DatasetError(f"{shown}: not a CSV file ({error}): take the table that `dataset spread` wrote") from error


def _sure(text: str | None, where: str) -> float:
    try:
        value = float((text or "").replace(",", "."))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise DatasetError(f"{where}: sure is {readable_name(text)!r}, must be 0 to 1: correct it or delete the row")
    return value

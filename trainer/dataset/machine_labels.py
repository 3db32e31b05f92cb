"""Read and write the table of photos that a machine has labelled: machine-labels.csv beside the class folders.

Such photos are learned from, with less weight, and never chosen by or tested on. A photo that is moved to another class
folder, or whose row is deleted, counts as labelled by hand: so people correct or confirm a label.
"""

import csv
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import DatasetError, MissingInputError
from edge.exports.tables import csv_bytes
from edge.images import readable_name
from edge.storage import read_bounded
from trainer.dataset.layouts.tables import MOST_BYTES, read_table

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


@dataclass(frozen=True, slots=True)
class Sureness:
    """How sure the labels that a machine made are, in figures.

    photos: how many have one. median, least: of how sure they are, 0..1.
    """

    photos: int
    median: float
    least: float

    @classmethod
    def of(cls, sure: Sequence[float]) -> "Sureness | None":
        """Return the figures of how sure each label is; None if there is none."""
        return cls(len(sure), statistics.median(sure), min(sure)) if sure else None

    def in_words(self) -> str:
        """Return 'sure to 0.91 (median), at least 0.64'."""
        return f"sure to {self.median:.2f} (median), at least {self.least:.2f}"


def machine_weights(
    labels: NDArray[np.int64], made: NDArray[np.int64], hand: NDArray[np.int64], classes: int, weight: float
) -> NDArray[np.float32]:
    """Return what each photo counts, float32 (photos,): 1, and `weight` or less if a machine made its label.

    labels: class numbers (photos,). made: indices of the photos whose labels a machine made. hand: of those that people
    labelled and that training may look at.

    A machine is sure of some classes before others: with 120 labels of TrashNet it named ten photos of cardboard for
    each that a person had, and one of trash in all. A network would take that for how common they are. So no class gets
    more from the machine, beside what people named of it, than the median class does: in a linear head that is worth a
    point (ten draws, good to half a point)."""
    weights = np.ones(len(labels), np.float32)
    by_machine = np.bincount(labels[made], minlength=classes)
    by_hand = np.bincount(labels[hand], minlength=classes)
    each = by_machine / np.maximum(by_hand, 1)
    if not by_machine.any():
        return weights
    usual = float(np.median(each[by_machine > 0]))
    weights[made] = weight * np.minimum(1.0, usual / each[labels[made]])
    return weights


def write_machine_labels(rows: Iterable[MachineLabel]) -> bytes:
    """Return the table as the bytes of a CSV file."""
    return csv_bytes([_COLUMNS, *((row.file, row.label, f"{row.sure:.4f}") for row in rows)])


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
        shown = readable_name(text or "")
        raise DatasetError(f"{where}: sure is {shown!r}, must be 0 to 1: correct it or delete the row")
    return value

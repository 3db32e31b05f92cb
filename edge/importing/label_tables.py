"""Read tables of labels of three columns and more, by their header: "index,mid,display_name"."""

import csv
import re
from collections.abc import Sequence

from edge.errors import BundleError
from edge.importing.label_numbers import complete, value

DELIMITERS = "\t;,\uff0c\uff1b"
_NUMBER = re.compile(r"\d{1,40}(?:\.0+)?")
# Best first.
_NAMES = tuple(
    re.compile(f"(?:{name})", re.IGNORECASE)
    for name in (r"display[ _]?name", r"names?", r"(class|label|category)[ _]?name", r"labels?", r"class|category",
                 r"common[ _]?name", r"scientific[ _]?name")
)  # fmt: skip
_INDEXES = re.compile(r"((class|label|category|output)[ _]?)?(id|index|idx|no|number)|output", re.IGNORECASE)
_FIX = "give a table of two columns, 'id,name', or one label a line, in the order of the outputs"


def split_cells(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line of CSV."""
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [""])
    except csv.Error:  # a cell over 131,072 characters, or a NUL
        return line.split(delimiter)


def table(lines: Sequence[str]) -> list[tuple[int, str]] | None:
    """Return number and name of each line of a table with a header and over two columns; None if it is none.

    Raises BundleError if it is such a table, but it is not clear which column holds the names or the numbers.
    """
    for delimiter in f"{DELIMITERS}|":
        rows = [[cell.strip() for cell in split_cells(line, delimiter)] for line in lines]
        if len(rows) < 2 or len(rows[0]) < 3 or len({len(row) for row in rows}) != 1:
            continue
        header, columns = rows[0], list(zip(*rows[1:], strict=True))
        names = [at for name in _NAMES for at, cell in enumerate(header) if name.fullmatch(cell)]
        indexes = [at for at, cell in enumerate(header) if _INDEXES.fullmatch(cell)]
        if names and (indexes or any(_counts(column) for column in columns)):
            return _read(header, columns, names[0], indexes)
        # "great white shark, Carcharodon carcharias" is prose; a table has no spaces behind its commas.
        prose = any(f"{delimiter} " in line for line in lines)
        if not prose and any(map(_counts, [*columns, *zip(*rows, strict=True)])):
            raise BundleError(f"a table of {len(header)} columns, and no header names that of the labels: {_FIX}")
    return None


def _read(header: list[str], columns: list[tuple[str, ...]], name: int, indexes: list[int]) -> list[tuple[int, str]]:
    counting = [at for at in indexes if _counts(columns[at])]
    if len(counting) != 1:
        found = ", ".join(repr(cell[:20]) for cell in header[:6])
        raise BundleError(f"a table ({found}) in which not one column 'id' or 'index' counts the outputs: {_FIX}")
    numbers = [value(cell) for cell in columns[counting[0]]]
    return list(zip(numbers, columns[name], strict=True))


def _counts(column: Sequence[str]) -> bool:
    return all(map(_NUMBER.fullmatch, column)) and complete([value(cell) for cell in column])

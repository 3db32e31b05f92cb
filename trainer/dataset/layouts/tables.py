"""Read tables that people keep beside their photos, as CSV: bounded in bytes, rows and the length of a line."""

import csv
import io
from collections.abc import Iterator

# Rows of 100,000 photos take some 10 MB. A row of six bytes takes 300 when it is read: rows have a bound of their own.
MOST_BYTES = 64 << 20
_MOST_ROWS = 1_000_000
_LONGEST_LINE = 1 << 20  # characters; of four bytes each, if one is an emoji


def read_table(data: bytes, *, errors: str = "strict") -> "csv.DictReader[str]":
    """Return a reader of the rows of a CSV table in UTF-8, whatever delimiter the spreadsheet of a country wrote.

    errors: what to do with bytes that are no UTF-8, as of bytes.decode. The reader raises UnicodeDecodeError for them,
    csv.Error for anything but a table, or one of over a million rows."""
    file = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", errors=errors, newline="")
    head = file.readline(_LONGEST_LINE)
    file.seek(0)
    return csv.DictReader(_lines(file), delimiter=max(",;\t", key=head.count))


def _lines(file: io.TextIOWrapper) -> Iterator[str]:
    rows = 0
    while line := file.readline(_LONGEST_LINE):
        rows += 1
        if len(line) == _LONGEST_LINE:
            raise csv.Error(f"line {rows} has {_LONGEST_LINE} characters or more")
        if rows > _MOST_ROWS:
            raise csv.Error(f"over {_MOST_ROWS} lines")
        yield line

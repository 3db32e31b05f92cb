"""Write rows to a file of an export, as CSV or as JSON lines."""

import csv
import io
from collections.abc import Iterable

import msgspec

from edge.exports.columns import COLUMNS, Row, as_cells, as_json
from edge.exports.copying.output_file import OutputFile
from edge.printable import printable_json


def csv_bytes(rows: Iterable[Iterable[object]]) -> bytes:
    """Return rows, the head line first, as the bytes of a CSV file. Bytes in names of files that are no text stay as
    they are."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


class CsvTable:
    """A table as RFC 4180 has it, in UTF-8, with a head line."""

    def __init__(self, output: OutputFile, columns: Iterable[str] = COLUMNS) -> None:
        self._output = output
        self._line = io.StringIO()
        self._writer = csv.writer(self._line)
        self.add_cells(columns)

    def add_cells(self, cells: Iterable[str]) -> None:
        """Append a line. Raises OSError."""
        self._writer.writerow(cells)
        self._output.write(self._line.getvalue().encode())
        self._line.seek(0)
        self._line.truncate()

    def add(self, row: Row) -> None:
        """Append an event. Raises OSError."""
        self.add_cells(as_cells(row))


class JsonLines:
    """One object a line."""

    def __init__(self, output: OutputFile) -> None:
        self._output = output

    def add(self, row: Row) -> None:
        """Append an event. Raises OSError."""
        self._output.write(printable_json(msgspec.json.encode(as_json(row))) + b"\n")

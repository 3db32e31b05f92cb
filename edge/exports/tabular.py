"""Export events as one table, a row an event, with their pictures beside it."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from edge.exports.columns import Row, flatten
from edge.exports.copying.output_file import OutputFile
from edge.exports.copying.target import Target
from edge.exports.media import MediaNames, Named
from edge.exports.parquet import ParquetTable
from edge.exports.tables import CsvTable, JsonLines
from edge.exports.taxa import TaxonOf
from edge.store.records import StoredEvent

TableFormat = Literal["csv", "jsonl", "parquet"]


class _Table(Protocol):
    def add(self, row: Row) -> None: ...


class TabularWriter:
    """events.csv, events.jsonl or events.parquet, and media/."""

    def __init__(self, table: _Table, taxon_of: TaxonOf, *, media: bool) -> None:
        self._table = table
        self._taxon_of = taxon_of
        self._names = MediaNames() if media else None

    def pictures(self, stored: StoredEvent) -> list[Named]:
        """Return all pictures of the event."""
        return self._names.of(stored) if self._names is not None else []

    def add(self, stored: StoredEvent, kept: Sequence[Named]) -> None:
        """Write the event's row."""
        self._table.add(flatten(stored, self._taxon_of, [named.name for named in kept]))


@contextlib.contextmanager
def open_table(target: Target, form: TableFormat, taxon_of: TaxonOf, *, media: bool) -> Iterator[TabularWriter]:
    """Open the table. Raises MissingPackageError, StorageError."""
    with target.file(f"events.{form}") as output:
        if form == "parquet":
            table = ParquetTable(output)
            yield TabularWriter(table, taxon_of, media=media)
            table.close()
        else:
            yield TabularWriter(_text_table(form, output), taxon_of, media=media)


def _text_table(form: str, output: OutputFile) -> CsvTable | JsonLines:
    return CsvTable(output) if form == "csv" else JsonLines(output)

"""Write rows to a Parquet file. The only module that imports pyarrow."""

from typing import Any

from edge.errors import MissingPackageError
from edge.exports.columns import COLUMNS, Kind, Row
from edge.exports.copying.output_file import OutputFile
from edge.exports.times import milliseconds

# About 3 MB in memory; readers skip whole groups.
_ROWS = 10_000


class ParquetTable:
    """A Parquet file in groups of 10,000 rows."""

    def __init__(self, output: OutputFile) -> None:
        """Begin it. Raises MissingPackageError without pyarrow."""
        self._pyarrow, parquet = load()
        self._schema = self._pyarrow.schema([(name, self._type(kind)) for name, kind in COLUMNS.items()])
        self._sink = self._pyarrow.PythonFile(_Sink(output), mode="w")
        self._writer = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._rows: list[Row] = []

    def _type(self, kind: Kind) -> Any:
        arrow = self._pyarrow
        return {
            "text": arrow.string(),
            "whole": arrow.int64(),
            "number": arrow.float64(),
            "time": arrow.timestamp("ms", tz="UTC"),
            "texts": arrow.list_(arrow.string()),
        }[kind]

    def add(self, row: Row) -> None:
        """Append an event. Raises OSError."""
        times = {
            name: milliseconds(row[name]) for name, kind in COLUMNS.items() if kind == "time" and row[name] is not None
        }
        self._rows.append({**row, **times})
        if len(self._rows) >= _ROWS:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(self._pyarrow.Table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()

    def close(self) -> None:
        """Write the last rows and what readers begin with. Raises OSError."""
        if self._rows:
            self._flush()
        self._writer.close()


class _Sink:
    """What pyarrow wants of a file."""

    def __init__(self, output: OutputFile) -> None:
        self._output = output
        self.closed = False

    def write(self, data: Any) -> int:
        return self._output.write(bytes(data))

    def flush(self) -> None:
        self._output.flush()

    def close(self) -> None:
        self.closed = True


def load() -> tuple[Any, Any]:
    """Import pyarrow, and return it with its module for Parquet. Raises MissingPackageError."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingPackageError(
            "--format parquet needs pyarrow: pip install '.[export]' in the clone of Fieldfare, or choose csv or jsonl"
        ) from error
    return pyarrow, pyarrow.parquet

"""An array on disk, read and written by the row.

Not mapped: mapped pages count as the process's memory, and a hundred thousand photos at 224 pixels are 15 GB.
"""

import os
import tempfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edge.errors import StorageError


class RowSource(Protocol):
    """What reads like an array along its first axis: Rows, or an array in memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, ...)."""

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """One row for a number, several for an array of numbers or of truth values, or a slice; copies."""


class Rows:
    """`count` rows of one shape and dtype in a file without a name: whatever ends this process, nothing of it
    stays on the disk. Reading is safe from several threads; so is writing different rows, also from child
    processes that inherit `fileno`."""

    def __init__(self, handle: int, count: int, row_shape: tuple[int, ...], dtype: DTypeLike) -> None:
        """Takes over `handle`, an open file of the right size; Rows.create makes one."""
        self._handle = handle
        self.dtype = np.dtype(dtype)
        self.shape = (count, *row_shape)
        self._row_bytes = int(np.prod(row_shape, dtype=np.int64)) * self.dtype.itemsize
        self._places: NDArray[np.int64] | None = None

    @classmethod
    def create(cls, folder: Path, count: int, row_shape: tuple[int, ...], dtype: DTypeLike, what: str) -> "Rows":
        """Room for all rows, taken now, in `folder`. what: named in the message of the StorageError that is
        raised where they do not fit."""
        size = count * int(np.prod(row_shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        try:
            handle, name = tempfile.mkstemp(prefix="fieldfare-rows-", dir=folder)
            Path(name).unlink()
            try:
                os.posix_fallocate(handle, 0, max(1, size))
            except OSError:
                os.close(handle)
                raise
        except OSError as error:
            raise StorageError(
                f"{folder}: {size / 1e9:.1f} GB for {what} do not fit ({error.strerror or error}): "
                "free some space or set TMPDIR to a larger disk"
            ) from error
        return cls(handle, count, row_shape, dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def fileno(self) -> int:
        """The open file; row i stands at byte i * row size."""
        return self._handle

    def __getitem__(self, index: Any) -> NDArray[Any]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1 and self._places is None:
                return self._read(start, max(0, stop - start))
            return self[np.arange(start, stop, step)]
        if np.ndim(index) == 0:
            row: NDArray[Any] = self._read(self._place(int(index)), 1)[0]
            return row
        chosen = np.asarray(index)
        if chosen.dtype == np.bool_:
            chosen = np.flatnonzero(chosen)
        rows = np.empty((len(chosen), *self.shape[1:]), self.dtype)
        for number, one in enumerate(chosen):
            rows[number] = self[one]
        return rows

    def write(self, index: int, row: NDArray[Any]) -> None:
        """Store `row`, of the rows' shape and dtype, at `index`. Raises StorageError."""
        data = np.ascontiguousarray(row, self.dtype).reshape(-1).view(np.uint8).data
        place = self._place(index) * self._row_bytes
        try:
            while data:
                done = os.pwrite(self._handle, data, place)
                data, place = data[done:], place + done
        except OSError as error:
            raise StorageError(f"temporary files: cannot write: {error.strerror or error}") from error

    def write_block(self, start: int, rows: NDArray[Any]) -> None:
        """Store several rows, from `start` on."""
        for number, row in enumerate(rows):
            self.write(start + number, row)

    def select(self, kept: NDArray[np.int64]) -> "Rows":
        """The same file, of which only the rows `kept` show, in that order. This one must not be used any
        longer."""
        chosen = Rows(self._handle, len(kept), self.shape[1:], self.dtype)
        chosen._places = kept if self._places is None else self._places[kept]
        self._handle = -1
        return chosen

    def close(self) -> None:
        """Give the disk space back. Safe to call twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> "Rows":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _place(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        index %= len(self)
        return index if self._places is None else int(self._places[index])

    def _read(self, place: int, count: int) -> NDArray[Any]:
        rows = np.empty((count, *self.shape[1:]), self.dtype)
        view = rows.reshape(-1).view(np.uint8).data
        offset = place * self._row_bytes
        while view:
            done = os.preadv(self._handle, [view], offset)
            if not done:
                raise StorageError("temporary files: shorter than they were made")
            view, offset = view[done:], offset + done
        return rows

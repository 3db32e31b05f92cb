"""Read and write an array on disk, row by row."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edge.errors import StorageError
from trainer.dataset import row_file
from trainer.dataset.row_file import RowFile


class RowSource(Protocol):
    """An array that is read along its first axis: Rows, or an array in memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, (rows, ...)."""

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Return one row for a number, or several for a slice or an array of numbers or truth values.

        Rows copies; an array in memory lends a view for a number or a slice."""


# The file is not mapped into memory, because mapped pages count as the process's memory: a hundred thousand photos at
# 224 pixels are 15 GB.
class Rows:
    """`count` rows of one shape and dtype, in a file on disk.

    Reading is safe from several threads. So is writing different rows, also from child processes that attach `file`.

    file: the file; row i starts at byte i * row size
    """

    def __init__(self, file: RowFile, count: int, row_shape: tuple[int, ...], dtype: DTypeLike) -> None:
        """Take over `file`, which has the right size. Rows.create makes one."""
        self.file = file
        self.dtype = np.dtype(dtype)
        self.shape = (count, *row_shape)
        self._row_bytes = int(np.prod(row_shape, dtype=np.int64)) * self.dtype.itemsize
        self._places: NDArray[np.int64] | None = None

    @classmethod
    def create(cls, folder: Path, count: int, row_shape: tuple[int, ...], dtype: DTypeLike, what: str) -> "Rows":
        """Create the file in `folder` and reserve its space now.

        Raises StorageError if it does not fit. what: name of the content, for that message."""
        size = count * int(np.prod(row_shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        try:
            file = row_file.create(folder, max(1, size))
        except OSError as error:
            raise StorageError(
                f"{folder}: {size / 1e9:.1f} GB for {what} do not fit ({error.strerror or error}): "
                "free some space, or set TMPDIR to a folder on a larger disk"
            ) from error
        return cls(file, count, row_shape, dtype)

    def __len__(self) -> int:
        return self.shape[0]

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
                done = self.file.write(data, place)
                data, place = data[done:], place + done
        except OSError as error:
            raise StorageError(f"temporary files: cannot write: {error.strerror or error}") from error

    def write_block(self, start: int, rows: NDArray[Any]) -> None:
        """Store several rows, from `start` on. Raises StorageError."""
        for number, row in enumerate(rows):
            self.write(start + number, row)

    def select(self, kept: NDArray[np.int64]) -> "Rows":
        """Return the same file with only the rows `kept`, in that order. This object must not be used afterwards."""
        chosen = Rows(self.file, len(kept), self.shape[1:], self.dtype)
        chosen._places = kept if self._places is None else self._places[kept]
        self.file = RowFile(-1)
        return chosen

    def close(self) -> None:
        """Give the disk space back. Safe to call twice."""
        self.file.close()

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
            done = self.file.read(view, offset)
            if not done:
                raise StorageError("temporary files: shorter than they were made")
            view, offset = view[done:], offset + done
        return rows

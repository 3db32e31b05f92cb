"""Read decoded photos as the network sees them: with the preparation that the bundle will carry.

On disk photos stay unprepared: near-duplicates are found by those pixels, and pictures are altered before they are
prepared, as light changes before a device equalizes it. Both happen when a photo is read.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Preprocessing
from edge.preparation.steps import Preparation
from edge.preprocess import Place, letterbox_place
from edge.records import Pixels
from trainer.dataset.inspection import PhotoRecord
from trainer.dataset.rows import RowSource

Change = Callable[[Pixels], Pixels]


class PreparedRows:
    """Photos of a RowSource, each prepared when it is read; what is read is new memory. Safe for several threads."""

    def __init__(self, rows: RowSource, spec: Preprocessing, records: Sequence[PhotoRecord]) -> None:
        """Prepare as `spec` lists.

        rows: uint8 (photos, height, width, 3), in the order of spec's channels, unprepared.
        records: of the same photos. Their sizes show where a letterbox's bars are.
        """
        self._rows, self._spec, self._records = rows, spec, records
        self.shape = rows.shape
        height, width = self.shape[1:3]
        self._preparation = Preparation(spec.preparation, spec.channel_order, height, width)
        self._one_at_a_time = threading.Lock()

    def __getitem__(self, index: Any) -> NDArray[Any]:
        if np.ndim(index) == 0 and not isinstance(index, slice):
            return self.changed(int(index), lambda picture: picture)
        numbers = np.arange(self.shape[0])[index]
        return np.array([self[number] for number in numbers], np.uint8).reshape(len(numbers), *self.shape[1:])

    def changed(self, index: int, change: Change) -> Pixels:
        """Return photo `index`, changed and then prepared, both without a letterbox's bars. change: takes a picture,
        uint8 (height, width, 3), and returns one of the same shape."""
        photo = np.array(self._rows[index], np.uint8)
        picture = photo[self._place(index)]
        picture[:] = change(np.ascontiguousarray(picture))
        with self._one_at_a_time:
            self._preparation.apply(picture)
        return photo

    def _place(self, index: int) -> Place:
        if self._spec.resize != "letterbox":
            return slice(None), slice(None)
        record = self._records[index]
        return letterbox_place(record.width, record.height, self.shape[2], self.shape[1])


def changed_row(rows: RowSource, index: int, change: Change) -> Pixels:
    """Return row `index` changed, and prepared if the rows are."""
    return rows.changed(index, change) if isinstance(rows, PreparedRows) else change(rows[index])

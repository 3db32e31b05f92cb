"""The photos of a training: pixels, labels, and the splits to learn from and to choose by."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.rows import RowSource


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """Photos in memory or on disk.

    pixels: uint8 (photos, height, width, 3), in the model's channel order, as the network sees them.
    labels: class indices, int64 (photos,).
    train: indices of the photos to learn from, int64.
    val: indices of the photos to choose by, int64.
    weights: what each photo counts beside its class's weight, float32 (photos,); None: all alike.
    machine_made: indices of the photos whose labels a machine made, int64; some may be in no split.
    """

    pixels: RowSource
    labels: NDArray[np.int64]
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    weights: NDArray[np.float32] | None = None
    machine_made: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def weights_of(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what each of these photos counts, float32 (indices,)."""
        return np.ones(len(indices), np.float32) if self.weights is None else self.weights[indices]

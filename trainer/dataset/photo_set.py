"""The photos that a training learns from and chooses by."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.rows import RowSource


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """pixels: uint8 (photos, height, width, 3); labels: (photos,); train and val index both."""

    pixels: RowSource
    labels: NDArray[np.int64]
    train: NDArray[np.int64]
    val: NDArray[np.int64]

"""Find the main axes of many photos' features. They are read in blocks: a second copy of those of 100,000 photos would
take half a gigabyte."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import Features

Points = NDArray[np.float32]
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class MainAxes:
    """The axes along which features spread most, widest first.

    mean: float64 (channels,).
    variances: float64 (channels,), one for each axis.
    axes: float64 (channels, channels), a column for each axis.
    """

    mean: NDArray[np.float64]
    variances: NDArray[np.float64]
    axes: NDArray[np.float64]


class Scatter:
    """The features of some photos, scaled row by row, and how they spread."""

    def __init__(self, features: Features, rows: NDArray[np.int64], scaled: Callable[[Features], Features]) -> None:
        """features: float32 (photos, channels), finite. rows: the photos that count, one or more. scaled: returns rows
        of features as they are to be compared, in new memory."""
        self._features, self._scaled, self._count = features, scaled, len(rows)
        self._blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]

    def main_axes(self) -> MainAxes:
        """Return the main axes."""
        channels = self._features.shape[1]
        mean, products = np.zeros(channels), np.zeros((channels, channels))
        for block in self._blocks:
            mean += self._scaled(self._features[block]).sum(axis=0, dtype=np.float64) / self._count
        for block in self._blocks:
            centred = self._scaled(self._features[block]) - mean
            products += centred.T @ centred
        squares, axes = np.linalg.eigh(products)
        return MainAxes(mean, squares[::-1] / self._count, axes[:, ::-1])

    def along(self, main: MainAxes, count: int) -> Points:
        """Return the photos along the first `count` axes: float32 (photos, up to count)."""
        axes = main.axes[:, :count]
        parts = [
            ((self._scaled(self._features[block]) - main.mean) @ axes).astype(np.float32) for block in self._blocks
        ]
        return np.concatenate(parts)

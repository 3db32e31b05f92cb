"""Spread the light of each part of a grey picture over all levels: CLAHE, in whole numbers.

Contrast limited adaptive histogram equalization: the picture is cut into tiles, each gets a table from the histogram of
its levels, in which no level may count too much, and every pixel takes a mean of the tables of the nearest tiles.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import Pixels

_LEVELS = 256
# Tiles each way, and the least side of one. Not the usual 8: in a picture of 96 pixels such a tile would have 144, too
# few for a histogram of 256 levels.
_TILES = 4
_LEAST_TILE = 8
# No level counts for more than so many times the mean of all, so noise is amplified by no more than that.
_CLIP = 2
# Weights between neighbouring tiles go in so many steps each way: 255 * 16 * 16, and a half, fit into 16 bits.
_WEIGHT = 16

_Weights = NDArray[np.uint16]


class LocalEqualization:
    """CLAHE of pictures of up to one size, with the memory for it: for one thread at a time."""

    def __init__(self, height: int, width: int) -> None:
        self._memory = np.empty((2, height * width), np.uint16)
        self._histograms = np.empty((_TILES * _TILES, _LEVELS), np.float32)
        self._counts, self._clipped = (np.empty((_TILES * _TILES, _LEVELS), np.int64) for _ in range(2))
        self._tables = np.empty((_TILES * _TILES, _LEVELS), np.uint16)
        self._layout = _Layout(height, width)

    def apply(self, grey: Pixels, out: Pixels) -> None:
        """Equalize `grey` into `out`, both uint8 (height, width) and not the same memory."""
        if grey.shape != (self._layout.height, self._layout.width):  # photos of many shapes in letterboxes
            self._layout = _Layout(*grey.shape)
        layout = self._layout
        tables = self._make_tables(grey, layout)
        total, looked_up = (memory[: grey.size].reshape(grey.shape) for memory in self._memory)
        total.fill(_WEIGHT * _WEIGHT // 2)
        for weights, tiles in layout.sheets:
            # What no tile of the sheet covers has no weight there, so what is left in it does not count.
            for number, rows, columns in tiles:
                cv2.LUT(grey[rows, columns], tables[number], dst=looked_up[rows, columns])
            np.multiply(looked_up, weights, out=looked_up)
            np.add(total, looked_up, out=total)
        np.right_shift(total, 8, out=total)
        np.copyto(out, total, casting="unsafe")

    def _make_tables(self, grey: Pixels, layout: "_Layout") -> _Weights:
        """Return each tile's table of 256 levels, (tiles, 256)."""
        tiles = len(layout.areas)
        counts, clipped = self._counts[:tiles], self._clipped[:tiles]
        histograms = self._histograms[:tiles]
        cv2.calcHist([layout.numbers, grey], [0, 1], None, [tiles, _LEVELS], [0, tiles, 0, _LEVELS], hist=histograms)
        np.copyto(counts, histograms, casting="unsafe")
        np.minimum(counts, layout.limits, out=clipped)
        np.cumsum(clipped, axis=1, out=counts)
        # What was cut off goes to all levels alike: level v has (v + 1) / 256 of it at or below itself.
        np.subtract(layout.areas[:, -1:], counts[:, -1:], out=layout.excess)
        np.copyto(clipped, layout.excess)
        np.multiply(clipped, layout.shares, out=clipped)
        np.right_shift(clipped, 8, out=clipped)
        np.add(counts, clipped, out=counts)
        np.multiply(counts, _LEVELS - 1, out=counts)
        np.add(counts, layout.halves, out=counts)
        np.floor_divide(counts, layout.areas, out=counts)
        np.copyto(self._tables[:tiles], counts, casting="unsafe")
        return self._tables


class _Layout:
    """Where the tiles of a size lie, and what each counts for each pixel.

    height, width: of the pictures.
    numbers: the tile of each pixel, uint8 (height, width).
    areas, limits, halves: of each tile its pixels, what a level of it may count, and half of its pixels, (tiles, 256).
    shares: of what is cut off, the 256ths that levels up to each one get, (tiles, 256).
    excess: memory for one number a tile.
    sheets: tables of tiles that are not neighbours cover different pixels, so four sheets hold all of them. Of each:
        the weights of its pixels, (height, width), of all four together 256; and its tiles, as number, rows, columns.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        down, across = _Axis(height), _Axis(width)
        self.numbers = (down.places[:, None] * across.count + across.places).astype(np.uint8)
        # One number for each level, though all are alike: to spread them, NumPy would take memory at each frame.
        self.areas = np.repeat(np.outer(down.lengths, across.lengths).reshape(-1, 1), _LEVELS, axis=1)
        self.shares = np.repeat(np.arange(1, _LEVELS + 1)[None], len(self.areas), axis=0)
        self.limits = np.maximum(1, -(-_CLIP * self.areas // _LEVELS))
        self.halves = self.areas // 2
        self.excess = np.empty((len(self.areas), 1), np.int64)
        self.sheets = [_sheet(down, across, row, column) for row in (0, 1) for column in (0, 1)]


class _Axis:
    """The tiles along one side of a picture.

    count: how many.
    places: the tile of each pixel.
    lengths: their sides.
    weights: (tiles, pixels), what each tile counts for each pixel, of all tiles together _WEIGHT.
    """

    def __init__(self, side: int) -> None:
        self.count = min(_TILES, max(1, side // _LEAST_TILE))
        edges = np.arange(self.count + 1) * side // self.count
        self.lengths = np.diff(edges)
        self.places = np.repeat(np.arange(self.count), self.lengths)
        # Twice the coordinates, so that the middles of tiles and pixels are whole numbers.
        middles, pixels = edges[:-1] + edges[1:], 2 * np.arange(side) + 1
        self.weights = np.zeros((self.count, side), np.uint16)
        before = np.clip(np.searchsorted(middles, pixels, "right") - 1, 0, max(0, self.count - 2))
        after = np.minimum(before + 1, self.count - 1)
        span = np.maximum(1, middles[after] - middles[before])
        share = np.clip((_WEIGHT * (pixels - middles[before]) + span // 2) // span, 0, _WEIGHT)
        self.weights[before, np.arange(side)] = _WEIGHT - share
        self.weights[after, np.arange(side)] += share.astype(np.uint16)


def _sheet(down: _Axis, across: _Axis, row: int, column: int) -> tuple[_Weights, list[tuple[int, slice, slice]]]:
    """Return the sheet of every second tile from `row` and `column` on; see _Layout.sheets."""
    weights = np.outer(down.weights[row::2].sum(axis=0), across.weights[column::2].sum(axis=0)).astype(np.uint16)
    tiles = [
        (i * across.count + j, _reach(down.weights[i]), _reach(across.weights[j]))
        for i in range(row, down.count, 2)
        for j in range(column, across.count, 2)
    ]
    return weights, tiles


def _reach(weights: _Weights) -> slice:
    """Return the part of a side on which a tile counts."""
    counting = np.flatnonzero(weights)
    return slice(int(counting[0]), int(counting[-1]) + 1)

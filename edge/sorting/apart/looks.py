"""Describe how a picture looks without a network: its colours and the directions of its edges, by place."""

import numpy as np
from numpy.typing import NDArray

SIDE = 48
_CELLS = 4
_DIRECTIONS = 8
# How much colours count beside edges: TrashNet's classes differ by both.
_COLOUR = 0.7


def looks_of(pixels_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return float32 (176,), of length 1. pixels_rgb: uint8 (SIDE, SIDE, 3)."""
    values = pixels_rgb.astype(np.float32) / 255
    cells = values.reshape(_CELLS, SIDE // _CELLS, _CELLS, SIDE // _CELLS, 3).mean(axis=(1, 3))
    colours = (cells - 0.5).reshape(-1)
    edges = _edges(values.mean(axis=2))
    found = np.concatenate([_COLOUR * _unit(colours), _unit(edges)])
    return _unit(found).astype(np.float32)


def _edges(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a histogram of directions for each cell, float32 (128,)."""
    down, right = np.gradient(grey)
    strength = np.hypot(down, right)
    direction = (np.arctan2(down, right) % np.pi * (_DIRECTIONS / np.pi)).astype(np.int64) % _DIRECTIONS
    place = np.arange(SIDE) * _CELLS // SIDE
    bins = (place[:, None] * _CELLS + place[None, :]) * _DIRECTIONS + direction
    counts = np.bincount(bins.ravel(), strength.ravel(), _CELLS * _CELLS * _DIRECTIONS)
    return np.sqrt(counts).astype(np.float32)


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    length = float(np.linalg.norm(values))
    return values / np.float32(length) if length else values

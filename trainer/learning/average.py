"""Keep a running average of a network's weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The start counts as much as so many training photos.
PHOTOS_OF_START = 10
_ALL_OF_IT = 0.99


def trained_share(photos: int) -> float:
    """Return how far towards the end of fine-tuning on so many photos to go, 0..1."""
    # Few photos pull the weights about by chance; between start and end is then better than either (as found by
    # Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022). 0.83 for 48 photos, 0.98 for 400, all of the
    # way from 990 on. Measured: docs/training.md.
    share = photos / (photos + PHOTOS_OF_START)
    return share if share < _ALL_OF_IT else 1.0


def between(start: list[Any], end: list[Any], share: float) -> list[NDArray[np.float32]]:
    """Return the weights that lie `share` of the way from `start` to `end`, 0..1."""
    part = np.float32(share)
    return [(1 - part) * one + part * other for one, other in zip(start, end, strict=True)]


class Average:
    """A running average of all weights, the BatchNorm averages among them."""

    def __init__(self, model: Any) -> None:
        """Start from the weights of `model`, a Keras model."""
        import tensorflow as tf

        self._weights = [weight.value for weight in model.weights]
        self._means = [tf.Variable(weight, trainable=False) for weight in self._weights]

    def update(self, keep: Any) -> None:
        """Move towards the weights, keeping the share `keep`, a scalar tensor: part of a compiled step."""
        for mean, weight in zip(self._means, self._weights, strict=True):
            mean.assign(mean * keep + weight * (1 - keep))

    def values(self) -> list[NDArray[np.float32]]:
        """Return the averages, in the order of the model's weights."""
        return [mean.numpy() for mean in self._means]

    def put(self, values: list[Any]) -> None:
        """Set the averages to `values`, those of an earlier run."""
        for mean, value in zip(self._means, values, strict=True):
            mean.assign(value)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the averages into the model, for this block."""
        saved = [weight.numpy() for weight in self._weights]
        for weight, mean in zip(self._weights, self._means, strict=True):
            weight.assign(mean)
        try:
            yield
        finally:
            for weight, value in zip(self._weights, saved, strict=True):
                weight.assign(value)

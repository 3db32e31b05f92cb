"""Keep a running average of a network's weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The start counts as much as so many training photos.
PHOTOS_OF_START = 24


def trained_share(photos: int) -> float:
    """Return the share of what fine-tuning on so many photos changed that is kept, 0..1."""
    # Few photos pull the weights about by chance; half-way between start and end is then better than either (as found
    # by Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022). Many photos leave nothing of the start:
    # 0.66 of 48 photos, 0.94 of 400, 0.99 of 1,762. Measured: docs/training.md.
    return photos / (photos + PHOTOS_OF_START)


class Average:
    """A running average of all weights, the BatchNorm averages among them, and the way back to the start."""

    def __init__(self, model: Any, share: float = 1.0) -> None:
        """Start from the weights of `model`, a Keras model. share: of the way from there to the averages, 0..1, that
        the result goes."""
        import tensorflow as tf

        self._weights = [weight.value for weight in model.weights]
        self._means = [tf.Variable(weight, trainable=False) for weight in self._weights]
        self.start = self.values()
        self._share = share

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

    def result(self) -> list[NDArray[np.float32]]:
        """Return the weights that are judged and kept: `share` of the way from the start to the averages."""
        share = np.float32(self._share)
        pairs = zip(self.start, self.values(), strict=True)
        return [mean if share == 1 else (1 - share) * start + share * mean for start, mean in pairs]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the result into the model, for this block."""
        saved = [weight.numpy() for weight in self._weights]
        for weight, value in zip(self._weights, self.result(), strict=True):
            weight.assign(value)
        try:
            yield
        finally:
            for weight, value in zip(self._weights, saved, strict=True):
                weight.assign(value)

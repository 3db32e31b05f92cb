"""Bring weights onto the int8 grid so that each layer's output stays, not each weight.

Rounding every weight to its nearest step adds errors up: in MobileNetV2 0.35 at 96 pixels the first depthwise
layer alone, whose kernels are differences of bright neighbours, moved the logits by 0.30 of a spread of 1.7 (root
mean square, TrashNet validation). So weights are rounded one after the other, and each one's error is made up by
those that follow, as far as the layer's inputs on representative photos are correlated (optimal brain quantization;
Frantar and Alistarh 2022, Frantar et al. 2023). What is left of the mean goes into the bias.

The weights are still floats afterwards, but multiples of the steps that the converter will choose.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Preprocessing
from trainer.dataset.rows import RowSource
from trainer.learning.predict import InnerOutputs
from trainer.progress import Advance

LEVELS = 127  # the converter's weights are symmetric: -127..127
POSITIONS = 256  # places of each photo that are looked at in each layer
# Of the mean of the diagonal: inputs that were never seen would else be used to make up any error, at no cost.
DAMPING = 0.01


def round_weights(
    model: Any, spec: Preprocessing, pixels: RowSource, representative: NDArray[np.int64], advance: Advance
) -> None:
    """Round the weights of all convolutions and dense layers of `model`, a folded Keras model, in place.
    pixels[representative]: uint8 (height, width, 3), the photos whose activations count."""
    from threadpoolctl import threadpool_limits

    layers = [layer for layer in model.layers if _kind(layer)]
    inputs = InnerOutputs(model, [layer.input for layer in layers], spec)
    moments = [_Moments(layer) for layer in layers]
    rng = np.random.default_rng(0)
    # Many small products: BLAS threads would wait for each other.
    with threadpool_limits(limits=1, user_api="blas"):
        for index in representative:
            for moment, given in zip(moments, inputs(pixels[index]), strict=True):
                moment.add(given, rng)
            advance(1)
        for layer, moment in zip(layers, moments, strict=True):
            _round_layer(layer, moment)


def _round_layer(layer: Any, moment: "_Moments") -> None:
    kernel, *bias = layer.get_weights()
    table = moment.to_table(kernel)
    rounded = round_table(table, moment.second, per_tensor=_kind(layer) == "Dense")
    shift = np.einsum("bn,bnm->bm", moment.first, rounded - table).reshape(-1)
    layer.set_weights([moment.to_kernel(rounded, kernel.shape), *[b - shift.astype(np.float32) for b in bias]])


def round_table(weights: NDArray[np.float64], moments: NDArray[np.float64], *, per_tensor: bool) -> NDArray[np.float64]:
    """Return multiples of each output's step, its largest weight / 127, that change the outputs least.

    weights: (groups, inputs, outputs).
    moments: (groups, inputs, inputs), mean products of the inputs.
    per_tensor: one step for all outputs.
    """
    # Each output's largest weight keeps its place and value: the converter takes its step from that one.
    size = np.abs(weights)
    largest = size.max(axis=None if per_tensor else 1, keepdims=True)
    step = np.maximum(largest, 1e-12) / LEVELS
    anchored = size == largest
    count = weights.shape[1]
    diagonal = np.einsum("bnn->bn", moments)
    damped = moments + np.eye(count) * (DAMPING * diagonal.mean(axis=1) + 1e-9)[:, None, None]
    # Inputs that matter most are rounded first, while there are others left to make up for them.
    order = np.argsort(-diagonal, axis=1, kind="stable")
    groups = np.arange(len(weights))[:, None]
    left = weights[groups, order].copy()
    anchored = anchored[groups, order]
    inverse = np.linalg.inv(damped[groups[:, :, None], order[:, :, None], order[:, None, :]])
    factor = np.linalg.cholesky(inverse).transpose(0, 2, 1)
    rounded = np.empty_like(left)
    steps = np.broadcast_to(step, (len(weights), 1, weights.shape[2]))[:, 0]
    for place in range(count):
        now = left[:, place]
        nearest = np.clip(np.round(now / steps), -LEVELS, LEVELS) * steps
        rounded[:, place] = np.where(
            anchored[:, place], np.sign(weights[groups, order][:, place]) * LEVELS * steps, nearest
        )
        error = (now - rounded[:, place]) / factor[:, place, place, None]
        left[:, place + 1 :] -= factor[:, place, place + 1 :, None] * error[:, None, :]
    result = np.empty_like(rounded)
    result[groups, order] = rounded
    return result


class _Moments:
    """Means and mean products of a layer's input: for each of its groups (channels of a depthwise convolution, else
    one), over the taps that make one output."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._kind = _kind(layer)
        self._count = 0
        self._first: Any = 0.0
        self._second: Any = 0.0

    def add(self, given: Any, rng: np.random.Generator) -> None:
        """Take in the layer's input for one photo, (1, height, width, channels) or (1, channels)."""
        taps = self._taps(given)
        if len(taps) > POSITIONS:
            taps = taps[rng.integers(0, len(taps), POSITIONS)]
        self._count += len(taps)
        self._first = self._first + taps.sum(axis=0, dtype=np.float64).T
        by_group = taps.transpose(2, 1, 0)
        self._second = self._second + by_group @ by_group.transpose(0, 2, 1)

    @property
    def first(self) -> NDArray[np.float64]:
        """(groups, taps)."""
        return np.asarray(self._first / self._count)

    @property
    def second(self) -> NDArray[np.float64]:
        """(groups, taps, taps)."""
        return np.asarray(self._second / self._count)

    def to_table(self, kernel: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return a Keras kernel as (groups, taps, outputs)."""
        wide = kernel.astype(np.float64)
        if self._kind == "DepthwiseConv2D":
            return wide.reshape(-1, wide.shape[2]).T[:, :, None]
        return wide.reshape(1, -1, wide.shape[-1])

    def to_kernel(self, table: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return a table as a Keras kernel of `shape`: the reverse of to_table."""
        flat = table[:, :, 0].T if self._kind == "DepthwiseConv2D" else table[0]
        return flat.reshape(shape).astype(np.float32)

    def _taps(self, given: Any) -> NDArray[np.float32]:
        """(positions, taps, groups)."""
        import tensorflow as tf

        if self._kind == "Dense":
            return np.asarray(given)[:, :, None]
        layer, channels = self._layer, given.shape[-1]
        height, width = layer.kernel_size
        patches = tf.image.extract_patches(
            given, [1, height, width, 1], [1, *layer.strides, 1], [1, 1, 1, 1], layer.padding.upper()
        )
        flat = np.asarray(patches).reshape(-1, height * width, channels)
        return flat if self._kind == "DepthwiseConv2D" else flat.reshape(len(flat), -1, 1)


def _kind(layer: Any) -> str | None:
    name = type(layer).__name__
    return name if name in ("Conv2D", "DepthwiseConv2D", "Dense") else None

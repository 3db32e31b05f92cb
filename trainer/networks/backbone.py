"""Build backbones, MobileNets of Keras, and fold their BatchNorm into the convolutions before fine-tuning."""

# Why folded: a converged BatchNorm multiplies its convolution's weights by a fixed gain, 0.1 to 74 in
# MobileNetV2 0.35, so one learning rate moves the layers by wildly different amounts, and channels that were
# dead (31 % of the first layer have a moving variance near 1e-36) are moved as far as live ones. Measured on
# TrashNet: fine-tuning the unfolded network lost accuracy at every rate tried; the folded one gained about three
# points (docs/training.md). It is also the network that the converter quantizes.

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import ModelError
from trainer.networks.families import Network
from trainer.networks.weights import load_weights


def build_backbone(network: Network, weights: Path | None) -> Any:
    """Return a Keras model (1 or more, size, size, 3) float32 -> pooled features (n, channels) float32.

    weights: a Keras .h5 weights file without top, None for random ones. Raises ModelError."""
    import keras

    try:
        backbone = getattr(keras.applications, network.family.constructor)(
            input_shape=(network.size, network.size, 3),
            alpha=network.alpha,
            include_top=False,
            weights=None,
            pooling="avg",
            **network.family.arguments,
        )
    except ValueError as error:
        raise ModelError(f"{network.title}: {error}") from error
    if weights is not None:
        load_weights(backbone, network, weights)
    return backbone


def quicken_batch_norm(backbone: Any) -> None:
    """Let the moving averages follow within tens of steps."""
    # Keras' 0.999 lags hundreds of steps behind: short trainings from scratch end with averages of another network.
    import keras

    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9


def fold_batch_norm(backbone: Any) -> Any:
    """Return the same function without BatchNorm: each is folded into the convolution before it, in float64. In
    training, the new model rounds its activations as int8 will.

    Raises ModelError if a BatchNorm does not follow a convolution."""
    import keras

    batch_norm = keras.layers.BatchNormalization
    followed_by = {}
    for layer in backbone.layers:
        if isinstance(layer, batch_norm):
            source = layer._inbound_nodes[0].parent_nodes[0].operation
            if not isinstance(source, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
                raise ModelError(f"{backbone.name}: {layer.name} does not follow a convolution")
            followed_by[source.name] = layer

    placeholder = _placeholder()

    def replace(layer: Any) -> Any:
        if isinstance(layer, batch_norm):
            low, high = _range_after(layer)
            return placeholder(low, high, name=layer.name)
        config = layer.get_config()
        if layer.name in followed_by:
            config["use_bias"] = True
        return layer.__class__.from_config(config)

    folded = keras.models.clone_model(backbone, clone_function=replace)
    for layer in backbone.layers:
        if layer.name in followed_by:
            weights = _fold(layer, followed_by[layer.name])
            folded.get_layer(layer.name).set_weights(weights)
        elif layer.weights and not isinstance(layer, batch_norm):
            folded.get_layer(layer.name).set_weights(layer.get_weights())
    return folded


@cache
def _placeholder() -> Any:
    """Return the class of the layers that take the place of a BatchNorm."""
    import keras
    import tensorflow as tf

    class Folded(keras.layers.Layer):  # type: ignore[misc]
        """Pass on the input; in training, rounded to 256 steps between low and high (None: the batch's own extremes).
        Conversion removes it."""

        # So the network learns to bear the rounding of int8.

        def __init__(self, low: float | None = None, high: float | None = None, **more: Any) -> None:
            super().__init__(**more)
            self.low, self.high = low, high

        def get_config(self) -> dict[str, Any]:
            """Return the settings from which Keras makes the layer again."""
            return {**super().get_config(), "low": self.low, "high": self.high}

        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            if not training:
                return inputs
            values = tf.cast(inputs, tf.float32)
            low, high = self.low, self.high
            if low is None or high is None:
                seen_low, seen_high = extremes(tf.stop_gradient(values))
                low = tf.minimum(seen_low, 0.0) if low is None else low
                high = tf.maximum(seen_high, low + 1e-3) if high is None else high
            rounded = tf.quantization.fake_quant_with_min_max_vars(values, low, high, num_bits=8)
            return tf.cast(rounded, inputs.dtype)

    def extremes(values: Any) -> tuple[Any, Any]:
        """Return the extremes of the whole batch, whose parts several machines may hold."""
        found = tf.stack([tf.reduce_min(values), tf.reduce_max(values)])
        context = tf.distribute.get_replica_context()
        if context is not None and context.num_replicas_in_sync > 1:
            # There is no maximum over machines, only a sum: each puts its own into a place of its own.
            place = tf.one_hot(context.replica_id_in_sync_group, context.num_replicas_in_sync)
            found = context.all_reduce(tf.distribute.ReduceOp.SUM, found[:, None] * place[None])
            return tf.reduce_min(found[0]), tf.reduce_max(found[1])
        return found[0], found[1]

    return Folded


def _range_after(layer: Any) -> tuple[float | None, float | None]:
    """Return the range that an activation behind `layer` leaves of its output."""
    readers = [node.operation for node in layer._outbound_nodes]
    if len(readers) == 1 and type(readers[0]).__name__ == "ReLU":
        return 0.0, readers[0].max_value
    return None, None


def add_head(backbone: Any, classes: int) -> Any:
    """Return `backbone` with a dense layer, "logits", to `classes` of them."""
    import keras

    # Named, as numbered names would end up in the .tflite and depend on what was built before.
    head = keras.layers.Dense(classes, name="logits")
    return keras.Model(backbone.input, head(backbone.output), name="network")


def _fold(convolution: Any, norm: Any) -> list[Any]:
    import keras

    weights = [np.asarray(w, np.float64) for w in convolution.get_weights()]
    kernel, bias = weights[0], weights[1] if len(weights) > 1 else 0.0
    gamma = np.asarray(norm.gamma, np.float64) if norm.scale else 1.0
    beta = np.asarray(norm.beta, np.float64) if norm.center else 0.0
    mean = np.asarray(norm.moving_mean, np.float64)
    gain = gamma / np.sqrt(np.asarray(norm.moving_variance, np.float64) + norm.epsilon)
    if isinstance(convolution, keras.layers.DepthwiseConv2D):
        kernel = kernel * gain[None, None, :, None]
    else:
        kernel = kernel * gain
    return [kernel.astype(np.float32), (beta + (bias - mean) * gain).astype(np.float32)]

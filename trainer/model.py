"""Backbones: MobileNets of Keras, with their BatchNorm folded into the convolutions before fine-tuning.

Why folded: a converged BatchNorm multiplies its convolution's weights by a fixed gain, 0.1 to 74 in
MobileNetV2 0.35, so one learning rate moves the layers by wildly different amounts, and channels that were
dead (31 % of the first layer have a moving variance near 1e-36) are moved as far as live ones. Measured on
TrashNet: fine-tuning the unfolded network lost accuracy at every rate tried; the folded one gained about three
points (docs/training.md). It is also the network that the converter quantizes.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import MissingInputError, ModelError, UnavailableError

ARCHITECTURES = {"mobilenet_v1": "MobileNet", "mobilenet_v2": "MobileNetV2"}
FAMILIES = {"mobilenet_v1": "MobileNetV1", "mobilenet_v2": "MobileNetV2"}
PRETRAINED_ALPHAS = {"mobilenet_v1": (0.25, 0.5, 0.75, 1.0), "mobilenet_v2": (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)}
MIN_SIZE, MAX_SIZE = 32, 320
# From here on fine-tuning moves the weights: the first blocks see edges and colours, which all photos share.
FIRST_TUNED = {"mobilenet_v1": "conv_dw_4", "mobilenet_v2": "block_3_expand"}


@dataclass(frozen=True, slots=True)
class Network:
    """Which MobileNet: architecture, width multiplier, input side in pixels."""

    architecture: str
    alpha: float
    size: int

    @property
    def title(self) -> str:
        """For people."""
        return f"{FAMILIES[self.architecture]} {self.alpha:g} {self.size}"


def build_backbone(network: Network, weights: str) -> Any:
    """A Keras model (1 or more, size, size, 3) float32 -> pooled features (n, channels) float32.

    weights: "none", "imagenet" (downloaded by Keras) or a Keras .h5 weights file without top; files are
    read as weights only, never as a model that could carry code. Raises MissingInputError, ModelError,
    UnavailableError."""
    import keras

    constructor = getattr(keras.applications, ARCHITECTURES[network.architecture])
    source: str | None = None if weights == "none" else weights
    alphas = PRETRAINED_ALPHAS[network.architecture]
    if weights == "imagenet" and network.alpha not in alphas:
        raise ModelError(
            f"--alpha {network.alpha:g}: there are ImageNet weights of {FAMILIES[network.architecture]} for "
            f"{', '.join(f'{alpha:g}' for alpha in alphas)}: take one of those, or --weights none"
        )
    if source not in (None, "imagenet"):
        _check_weights_file(Path(weights))
    try:
        backbone = constructor(
            input_shape=(network.size, network.size, 3),
            alpha=network.alpha,
            include_top=False,
            weights=source,
            pooling="avg",
        )
    except Exception as error:
        if weights == "imagenet":
            raise UnavailableError(_offline_advice(network, error)) from error
        if weights == "none":
            raise ModelError(f"{network.title}: {error}") from error
        raise ModelError(
            f"{weights}: not weights of {network.title} without top ({_first_line(error)}): "
            "check --arch and --alpha against the file"
        ) from error
    return backbone


def quicken_batch_norm(backbone: Any) -> None:
    """Let the moving averages follow within tens of steps: Keras' 0.999 lags hundreds behind, so that short
    trainings from scratch end with averages of another network."""
    import keras

    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9


def fold_batch_norm(backbone: Any) -> Any:
    """The same function without BatchNorm: each is folded into the convolution before it, in float64.

    Raises ModelError where a BatchNorm does not follow a convolution."""
    import keras

    batch_norm = keras.layers.BatchNormalization
    followed_by = {}
    for layer in backbone.layers:
        if isinstance(layer, batch_norm):
            source = layer._inbound_nodes[0].parent_nodes[0].operation
            if not isinstance(source, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
                raise ModelError(f"{backbone.name}: {layer.name} does not follow a convolution")
            followed_by[source.name] = layer

    class Folded(keras.layers.Layer):  # type: ignore[misc]
        """Stands where a BatchNorm stood, so that the graph keeps its shape; gone after conversion."""

        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            return inputs

    def replace(layer: Any) -> Any:
        if isinstance(layer, batch_norm):
            return Folded(name=layer.name)
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


def add_head(backbone: Any, classes: int, kernel: Any = None, bias: Any = None) -> Any:
    """Backbone plus a dense layer to `classes` logits, set to kernel (channels, classes) and bias where
    given."""
    import keras

    head = keras.layers.Dense(classes, name="logits")
    model = keras.Model(backbone.input, head(backbone.output))
    if kernel is not None:
        head.set_weights([np.asarray(kernel, np.float32), np.asarray(bias, np.float32)])
    return model


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


def _check_weights_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            mark = file.read(8)
    except OSError as error:
        raise MissingInputError(f"weights {path}: cannot read: {error.strerror or error}") from error
    if path.suffix != ".h5" or mark != b"\x89HDF\r\n\x1a\n":
        raise ModelError(f"weights {path}: not a Keras .h5 weights file: give the *_no_top.h5 file")


def _offline_advice(network: Network, error: Exception) -> str:
    prefix = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels" if "v2" in network.architecture else "mobilenet"
    found = re.search(r"\S+_no_top\.h5", str(error))
    file = found[0] if found else f"{prefix}_*_no_top.h5"
    return (
        f"the ImageNet weights of {network.title} could not be downloaded: fetch Keras' file {file} on a machine "
        "with a network and give it with --weights FILE"
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__

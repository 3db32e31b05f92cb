"""Judge the tensors of a model: is it a full-integer image classifier, and what must be changed if not."""

import math
from typing import cast

import numpy as np

from edge.bundle.manifest import Activation, InputTensor, OutputTensor, Quantization, TensorType
from edge.errors import ModelError
from edge.importing.graph import Arithmetic
from edge.importing.model_trial import Probe
from edge.inference.tflite import TensorDetails

MIN_CLASSES, MAX_CLASSES = 2, 100_000
_MIN_SIDE, _MAX_SIDE = 16, 4096
# Scales of inputs and outputs are some 1/256 to 1; beyond this, float32 overflows or becomes zero.
_MIN_SCALE, _MAX_SCALE = 1e-9, 1e9
_INTEGER = (
    "convert it again with converter.optimizations = [tf.lite.Optimize.DEFAULT], a representative_dataset, "
    "target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8], and inference_input_type and "
    "inference_output_type = tf.int8"
)


def input_tensor(probe: Probe, arithmetic: Arithmetic) -> InputTensor:
    """Return the input of an image classifier, which has one input and one output.

    Raises ModelError if it is none, or not quantized.
    """
    given = probe.inputs[0]
    # The runtime sets a free batch to 1; it cannot choose the size of pictures.
    if any(size < 1 for size in given.signature[1:]):
        raise ModelError(
            f"input shape {given.signature} is dynamic: convert it again with a fixed height and width, such as "
            "(1, 224, 224, 3)"
        )
    _require_eight_bits(given, probe.outputs[0], arithmetic)
    if len(given.shape) != 4 or given.shape[0] != 1 or given.shape[3] != 3:
        raise ModelError(f"input shape {given.shape}, must be (1, height, width, 3): batch 1, colour")
    _, height, width, _ = given.shape
    if not (_MIN_SIDE <= height <= _MAX_SIDE and _MIN_SIDE <= width <= _MAX_SIDE):
        raise ModelError(f"input of {width}x{height} pixels, must be {_MIN_SIDE} to {_MAX_SIDE} a side")
    return InputTensor(
        width=width,
        height=height,
        dtype=cast("TensorType", given.dtype),
        quantization=_quantization("input", given),
    )


def number_of_classes(probe: Probe) -> int:
    """Return how many classes the output has. Raises ModelError if it is not one value for each class."""
    shape = probe.outputs[0].shape
    classes = math.prod(shape)
    if not shape or classes != shape[-1] or not MIN_CLASSES <= classes <= MAX_CLASSES:
        raise ModelError(f"output shape {shape}, must be (1, classes) with {MIN_CLASSES} to {MAX_CLASSES} classes")
    return classes


def output_tensor(probe: Probe, activation: Activation) -> OutputTensor:
    """Return the output of a classifier, for which `input_tensor` and `number_of_classes` raised nothing."""
    result = probe.outputs[0]
    return OutputTensor(
        classes=number_of_classes(probe),
        dtype=cast("TensorType", result.dtype),
        quantization=_quantization("output", result),
        activation=activation,
    )


def _require_eight_bits(given: TensorDetails, result: TensorDetails, arithmetic: Arithmetic) -> None:
    others = [
        (which, tensor.dtype)
        for which, tensor in (("input", given), ("output", result))
        if tensor.dtype not in ("int8", "uint8")
    ]
    if not others:
        return
    if any(dtype != "float32" for _, dtype in others):
        which, dtype = others[0]
        raise ModelError(f"{which} is {dtype}, must be int8 or uint8: not the pixels or scores of a classifier")
    begin = " and ".join(f"{which} is {dtype}" for which, dtype in others) + ", must be int8 or uint8: "
    if arithmetic == "int8":
        options = " and ".join(f"converter.inference_{which}_type = tf.int8" for which, _ in others)
        raise ModelError(f"{begin}inside, the model is int8: convert it again with {options}")
    found = {"int8 weights": "only its weights are int8", "int16": "inside, the model is int16"}
    raise ModelError(f"{begin}{found.get(arithmetic, 'the model is not quantized')}: {_INTEGER}")


def _quantization(which: str, tensor: TensorDetails) -> Quantization:
    if tensor.scales != 1:
        raise ModelError(f"{which} has {tensor.scales} quantization scales, must be 1: {_INTEGER}")
    if not _MIN_SCALE <= tensor.scale <= _MAX_SCALE:
        raise ModelError(
            f"{which} has the quantization scale {tensor.scale:g}, must be {_MIN_SCALE:g} to {_MAX_SCALE:g}: {_INTEGER}"
        )
    info = np.iinfo(tensor.dtype)
    if not info.min <= tensor.zero_point <= info.max:
        raise ModelError(
            f"{which} has the zero point {tensor.zero_point}, must be {info.min} to {info.max} for {tensor.dtype}: "
            f"{_INTEGER}"
        )
    return Quantization(scale=tensor.scale, zero_point=tensor.zero_point)

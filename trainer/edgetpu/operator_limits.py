"""Check whether the Edge TPU would take a single operator, regardless of the rest of the graph."""

import math
from collections.abc import Callable

import msgspec

from trainer.edgetpu.operators import (
    LIMITATION,
    NOT_SUPPORTED,
    RECORDED_REFUSED,
    REPORTED_REFUSED,
    REPORTED_UNREADABLE,
    RESIZE_BYTES,
    SOFTMAX_ELEMENTS,
    SUPPORTED,
    WRONG_RANK,
    WRONG_TYPE,
    WRONG_VERSION,
)
from trainer.edgetpu.tflite_graph import Graph, Operator, Tensor

EIGHT_BITS = ("INT8", "UINT8")
ONE_SCALE_FIX = (
    "convert with converter._experimental_disable_per_channel_quantization_for_dense_layers = True: "
    "one scale for the weights of each Dense layer"
)
FULL_INTEGER_FIX = "quantize to full integer: TFLITE_BUILTINS_INT8 and a representative dataset"
_INPUT_FIX = "convert with inference_input_type = tf.uint8 or tf.int8"
_OUTPUT_FIX = "convert with inference_output_type = tf.uint8 or tf.int8"
_FLOAT_FIX = "keep arithmetic on floats and integers out of the model: end it before, and compute the rest separately"
_CUSTOM_FIX = "it runs on the CPU by design; at the end of a model that costs little"
_REPLACEMENTS = {
    "HARD_SWISH": "use ReLU6 (MobileNetV3: minimalistic=True)",
    "LEAKY_RELU": "use ReLU or PReLU with shared_axes=[1, 2]",
    "ELU": "use ReLU",
    "GELU": "use ReLU",
    "TILE": "use UpSampling2D(interpolation='bilinear') or Conv2DTranspose, not UpSampling2D's nearest of Keras 3",
    "RESIZE_NEAREST_NEIGHBOR": "use tf.raw_ops.ResizeNearestNeighbor with half_pixel_centers=False, or "
    "UpSampling2D(interpolation='bilinear')",
    "DIV": "multiply by the inverse",
    "ARG_MAX": "end the model before it: the best label is found on the CPU anyway",
}


class Reason(msgspec.Struct, frozen=True):
    """The reason why an operator stays on the CPU.

    status: the compiler's message.
    detail: what in this model leads to it.
    fix: what to change.
    documented: False if the reason is inferred, and the compiler may decide otherwise.
    """

    status: str
    detail: str
    fix: str
    documented: bool = True


def why_not(operator: Operator, graph: Graph) -> Reason | None:
    """Return why the operator stays on the CPU, or None if the Edge TPU would take it by itself."""
    # Type, version and rank come first, as in the compiler's reports: DEQUANTIZE, which is not on Coral's list, is
    # reported for its type. Then come the limitations that Coral documents for each operator.
    return (
        _conversion(operator, graph)
        or _type(operator, graph)
        or _support(operator)
        or _rank(operator, graph)
        or _scales(operator, graph)
        or _limit(operator, graph)
    )


def activations(operator: Operator, graph: Graph) -> list[Tensor]:
    """Return the operator's inputs and outputs that are neither constant nor state."""
    tensors = graph.present(operator.inputs) + graph.present(operator.outputs)
    return [tensor for tensor in tensors if not tensor.constant and not tensor.variable]


def _conversion(operator: Operator, graph: Graph) -> Reason | None:
    """Check QUANTIZE from float and DEQUANTIZE. At the ends of a model, which is usual, they cost little."""
    given, output = _input(operator, graph, 0), _output(operator, graph)
    if operator.name == "QUANTIZE" and given is not None and given.dtype not in EIGHT_BITS:
        at_end = operator.inputs[0] in graph.inputs
        return Reason(LIMITATION, f"from {given.dtype}", _INPUT_FIX if at_end else _FLOAT_FIX)
    if operator.name == "DEQUANTIZE" and output is not None:
        at_end = operator.outputs[0] in graph.outputs
        return Reason(WRONG_TYPE, f"to {output.dtype}", _OUTPUT_FIX if at_end else _FLOAT_FIX)
    return None


def _type(operator: Operator, graph: Graph) -> Reason | None:
    for tensor in graph.present(operator.inputs) + graph.present(operator.outputs):
        known = tensor.constant and not tensor.dtype.startswith("FLOAT")  # biases, axes, paddings
        if known or tensor.variable or (tensor.dtype in EIGHT_BITS and tensor.scales):
            continue
        what = tensor.dtype if tensor.dtype not in EIGHT_BITS else f"{tensor.dtype} without a scale"
        return Reason(WRONG_TYPE, what, _CUSTOM_FIX if operator.custom is not None else _type_fix(operator, graph))
    return None


def _type_fix(operator: Operator, graph: Graph) -> str:
    if operator.name in _REPLACEMENTS:
        return _REPLACEMENTS[operator.name]
    floats = any(tensor.dtype.startswith("FLOAT") for tensor in activations(operator, graph))
    return FULL_INTEGER_FIX if floats else _FLOAT_FIX


def _support(operator: Operator) -> Reason | None:
    versions = SUPPORTED.get(operator.name)
    if versions is None:
        replacement = _REPLACEMENTS.get(operator.name, "replace it by operators of Coral's list, or move it to the end")
        return Reason(NOT_SUPPORTED, "not on Coral's list", replacement)
    if operator.version not in versions:
        allowed = ", ".join(map(str, versions))
        fix = f"version {allowed}: convert with TensorFlow 2.5 to 2.8, or without what the version stands for"
        if operator.name == "FULLY_CONNECTED":
            fix = "Dense on more than two dimensions needs it: Flatten before Dense, or use Conv2D with a 1x1 kernel"
        if record := RECORDED_REFUSED.get((operator.name, operator.version)):
            detail = f"version {operator.version}, {record}"
            return Reason(WRONG_VERSION, detail, _REPLACEMENTS.get(operator.name, fix), documented=False)
        known = (operator.name, operator.version) in REPORTED_REFUSED | REPORTED_UNREADABLE
        return Reason(WRONG_VERSION, f"version {operator.version}, known are {allowed}", fix, known)
    return None


def _rank(operator: Operator, graph: Graph) -> Reason | None:
    for tensor in activations(operator, graph):
        if any(side > 1 for side in tensor.shape[:-3]):
            return Reason(
                WRONG_RANK, f"shape {_sides(tensor.shape)}", "batch 1, and at most three dimensions larger than 1"
            )
    return None


def _scales(operator: Operator, graph: Graph) -> Reason | None:
    if operator.name == "FULLY_CONNECTED":
        weights = _input(operator, graph, 1)
        if weights is not None and weights.scales > 1:
            return Reason(LIMITATION, f"{weights.scales} scales for its weights", ONE_SCALE_FIX, documented=False)
    for tensor in activations(operator, graph):
        if tensor.scales > 1:
            return Reason(
                LIMITATION, f"{tensor.scales} scales for an activation", "one scale a tensor", documented=False
            )
    return None


def _limit(operator: Operator, graph: Graph) -> Reason | None:
    check = _LIMITS.get(operator.name)
    return None if check is None else check(operator, graph)


def _limitation(detail: str, fix: str, *, documented: bool = True) -> Reason:
    return Reason(LIMITATION, detail, fix, documented)


def _input(operator: Operator, graph: Graph, place: int) -> Tensor | None:
    if place >= len(operator.inputs) or operator.inputs[place] < 0:
        return None
    return graph.tensors[operator.inputs[place]]


def _output(operator: Operator, graph: Graph) -> Tensor | None:
    found = graph.present(operator.outputs)
    return found[0] if found else None


def _sides(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _dilation(operator: Operator, graph: Graph) -> Reason | None:
    height, width = operator.options.dilation
    if height != width:
        return _limitation(f"dilation {height}x{width}", "the same dilation in both directions")
    return _weights(operator, graph)


def _weights(operator: Operator, graph: Graph) -> Reason | None:
    weights = _input(operator, graph, 1)
    if weights is not None and not weights.constant:
        return _limitation("weights that are computed", "weights must be constants of the model")
    return None


def _dense(operator: Operator, graph: Graph) -> Reason | None:
    if operator.options.weights_format:
        return _limitation("shuffled weights", "convert with the default format of weights")
    output = _output(operator, graph)
    if operator.options.keep_num_dims or (output is not None and math.prod(output.shape[:-1]) > 1):
        shape = "" if output is None else _sides(output.shape)
        return _limitation(
            f"output {shape} is not one-dimensional", "Flatten before Dense, or Conv2D with a 1x1 kernel"
        )
    return _weights(operator, graph)


def _no_activation(operator: Operator, _: Graph) -> Reason | None:
    if operator.options.activation is not None:
        return _limitation(f"fused {operator.options.activation}", "the activation as a layer of its own")
    return None


def _concatenation(operator: Operator, graph: Graph) -> Reason | None:
    tensors = graph.present(operator.inputs)
    constants = [tensor for tensor in tensors if tensor.constant]
    if constants and (len(tensors) != 2 or not all(tensor.all_zero for tensor in constants)):
        return _limitation("joins a constant", "only one constant, of zeros, with one other input (use padding)")
    return _no_activation(operator, graph)


def _axes(operator: Operator, graph: Graph, place: int) -> set[int]:
    """Return the axes in a constant input, counted from the front."""
    axes, given = _input(operator, graph, place), _input(operator, graph, 1 - place)
    rank = 0 if given is None else len(given.shape)
    return set() if axes is None else {axis % rank if rank else axis for axis in axes.values}


def _reduction(operator: Operator, graph: Graph) -> Reason | None:
    axes, given = _axes(operator, graph, 1), _input(operator, graph, 0)
    if 0 in axes:
        return _limitation("reduces the batch", "reduce height, width or channels only")
    if operator.name == "MEAN" and given is not None and len(given.shape) == 4 and 3 in axes and given.shape[3] % 4:
        return _limitation(f"mean of {given.shape[3]} channels", "a number of channels that is a multiple of 4")
    return None


def _padding(operator: Operator, graph: Graph) -> Reason | None:
    paddings = _input(operator, graph, 1)
    if paddings is not None and len(paddings.values) >= 8 and any(paddings.values[:2]):
        return _limitation("pads the batch", "pad height, width or channels only")
    return None


def _packing(operator: Operator, _: Graph) -> Reason | None:
    return _limitation("packs the batch", "stack along another axis") if operator.options.axis == 0 else None


def _splitting(operator: Operator, graph: Graph) -> Reason | None:
    return _limitation("splits the batch", "split along another axis") if 0 in _axes(operator, graph, 0) else None


def _slicing(operator: Operator, graph: Graph) -> Reason | None:
    strides = _input(operator, graph, 3)
    if strides is not None and any(stride != 1 for stride in strides.values):
        return _limitation(f"strides {_sides(strides.values)}", "strides of 1 (or a pooling, or a strided convolution)")
    if operator.options.ellipsis_mask or operator.options.new_axis_mask:
        return _limitation("a slice with ... or newaxis", "plain slices with numbers")
    return None


def _softmax(operator: Operator, graph: Graph) -> Reason | None:
    given = _input(operator, graph, 0)
    if given is None:
        return None
    if math.prod(given.shape[:-1]) > 1 or given.shape[-1:] > (SOFTMAX_ELEMENTS,):
        return _limitation(
            f"of {_sides(given.shape)}",
            f"one row of at most {SOFTMAX_ELEMENTS} elements; else leave it to the CPU, at the end of the model",
        )
    return None


def _prelu(operator: Operator, graph: Graph) -> Reason | None:
    alpha = _input(operator, graph, 1)
    if alpha is not None and any(side > 1 for side in alpha.shape[:-1]):
        return _limitation(f"alpha of {_sides(alpha.shape)}", "PReLU(shared_axes=[1, 2])")
    return None


def _resize(operator: Operator, graph: Graph) -> Reason | None:
    given, output = _input(operator, graph, 0), _output(operator, graph)
    if given is None or output is None:
        return None
    sizes = f"{_sides(given.shape[1:3])} to {_sides(output.shape[1:3])}"
    # In Coral's pairs, DeepLab's resize of 1x1 with align_corners stays on the CPU; MoveNet's of 6x6 to 24x24 do not.
    if operator.options.align_corners and 1 in given.shape[1:3]:
        return _limitation(f"{sizes} with align_corners", "a broadcast instead: ADD or MUL with a tensor of full size")
    if math.prod(output.shape) > RESIZE_BYTES:
        return _limitation(f"{sizes} is too large", "a smaller input, or the resize on the CPU", documented=False)
    return None


_LIMITS: dict[str, Callable[[Operator, Graph], Reason | None]] = {
    "AVERAGE_POOL_2D": _no_activation,
    "CONCATENATION": _concatenation,
    "CONV_2D": _dilation,
    "DEPTHWISE_CONV_2D": _dilation,
    "FULLY_CONNECTED": _dense,
    "MAX_POOL_2D": _no_activation,
    "MEAN": _reduction,
    "PACK": _packing,
    "PAD": _padding,
    "PRELU": _prelu,
    "REDUCE_MAX": _reduction,
    "REDUCE_MIN": _reduction,
    "RESIZE_BILINEAR": _resize,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "SOFTMAX": _softmax,
    "SPLIT": _splitting,
    "STRIDED_SLICE": _slicing,
    "SUM": _reduction,
    "TRANSPOSE_CONV": _weights,
}

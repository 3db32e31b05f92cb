"""Read the last layer of an int8 classifier: its weights as real numbers, and all that a new one must fit.

Field numbers are those of TensorFlow's schema.fbs.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.flatbuffer import DAMAGED, Node, root
from edge.importing.graph import Operator, ending

# tflite.BuiltinOperator
_AVERAGE_POOL, CONV, FULLY_CONNECTED, RESHAPE, SOFTMAX, _MEAN, _SQUEEZE, QUANTIZE = 1, 3, 9, 22, 25, 40, 43, 114
_BEHIND = (_AVERAGE_POOL, RESHAPE, SOFTMAX, _MEAN, _SQUEEZE, QUANTIZE)
_POOLING = (_AVERAGE_POOL, _MEAN)
_UINT8, _INT8, _INT32 = 3, 9, 2  # tflite.TensorType
RANGES = {_UINT8: (0, 255), _INT8: (-128, 127)}
# Of the options FullyConnectedOptions and Conv2DOptions: the field of the fused activation.
_ACTIVATION = {FULLY_CONNECTED: 0, CONV: 3}
_CANNOT = "its last layer cannot be taught"
# As many as a manifest may have.
_MAX_CLASSES = 100_000

Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scale:
    """The quantization of a tensor of 8 bits. low, high: of its type. scales: float64, one or one a class."""

    low: int
    high: int
    scales: NDArray[np.float64]
    zero_point: int


@dataclass(frozen=True, slots=True)
class LastLayer:
    """A fully connected layer, or a convolution of 1x1, that gives one number a class.

    weights: (classes, channels), real numbers; stored: the same as they stand in the file, int64.
    bias: (classes,), real numbers; stored_bias: as int64.
    of_input, of_weights, of_output: quantization of its tensors.
    operators: it and those behind it, down to the output.
    """

    weights: Weights
    stored: NDArray[np.int64]
    bias: Weights
    stored_bias: NDArray[np.int64]
    of_input: Scale
    of_weights: Scale
    of_output: Scale
    operators: tuple[Operator, ...]

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.weights)


class Graph:
    """The main graph of a .tflite, and its constants. Every access may raise one of DAMAGED."""

    def __init__(self, model: bytes) -> None:
        top = root(model)
        graphs = top.nodes(2)
        self.tensors = graphs[0].nodes(0)
        self.operators = graphs[0].nodes(3)
        self.buffers = top.nodes(4)
        self._users: dict[int, int] = {}
        for graph in graphs:
            for tensor in graph.nodes(0):
                self._users[tensor.number(2)] = self._users.get(tensor.number(2), 0) + 1

    def constant(self, tensor: int) -> Node:
        """Return the buffer of a constant, which no other tensor shares. Raises ModelError."""
        number = self.tensors[tensor].number(2) if tensor >= 0 else 0
        buffer = self.buffers[number]
        if not number or not buffer.holds(0):
            raise ModelError(f"{_CANNOT}: numbers of it are computed, or kept outside the file")
        if self._users[number] > 1:
            raise ModelError(f"{_CANNOT}: it shares its numbers with another layer")
        return buffer

    def scale_of(self, tensor: int, classes: int = 1) -> Scale:
        """Return the quantization of a tensor of 8 bits. classes: how many scales it may have beside one."""
        node = self.tensors[tensor]
        quantization = node.child(4)
        if node.byte(1) not in RANGES or quantization is None:
            raise ModelError(f"{_CANNOT}: it does not compute in 8 bits")
        scales = np.array(quantization.floats(2, classes + 1), np.float64)
        zero_points = set(quantization.longs(3, classes + 1)) or {0}
        usable = len(scales) in (1, classes) and np.isfinite(scales).all() and (scales > 0).all()
        if not usable or len(zero_points) != 1:
            raise ModelError(f"{_CANNOT}: its quantization is damaged, or of another kind")
        low, high = RANGES[node.byte(1)]
        return Scale(low, high, scales, zero_points.pop())


def read_last_layer(model: bytes) -> LastLayer:
    """Read the last layer of a classifier. Raises ModelError if it has none that a new one can replace."""
    try:
        return _read(Graph(model), _operators(model))
    except ModelError:
        raise
    except DAMAGED as error:
        raise ModelError(f"damaged .tflite: its tables do not fit together ({error})") from error


def weights_of_last_layer(model: bytes) -> int:
    """Return how many weights it has, as its shape tells: `read_last_layer` takes 24 bytes for each. Raises as that."""
    try:
        _, kernel = _operators(model)[0].inputs[:2]
        return math.prod(Graph(model).tensors[kernel].numbers(0, 5))
    except ModelError:
        raise
    except DAMAGED as error:
        raise ModelError(f"damaged .tflite: its tables do not fit together ({error})") from error


def _operators(model: bytes) -> tuple[Operator, ...]:
    """Return the last layer and what is behind it. Raises ModelError if it, or that, is of a kind that cannot take
    more classes."""
    operators = ending(model)
    if operators is None or operators[0].code not in (FULLY_CONNECTED, CONV):
        raise ModelError(f"{_CANNOT}: the model does not end in a fully connected layer, or a convolution of 1x1")
    codes = [operator.code for operator in operators[1:]]
    if any(code not in _BEHIND for code in codes):
        raise ModelError(f"{_CANNOT}: more than shapes and a softmax follows it")
    if codes.count(SOFTMAX) > 1 or (SOFTMAX in codes and any(c in _POOLING for c in codes[codes.index(SOFTMAX) :])):
        raise ModelError(f"{_CANNOT}: it averages probabilities")
    return operators


def _read(graph: Graph, operators: tuple[Operator, ...]) -> LastLayer:
    layer = operators[0]
    features, kernel, bias = (*layer.inputs, -1, -1)[:3]
    options = graph.operators[layer.place].child(4)
    if options is not None and options.byte(_ACTIVATION[layer.code]):
        raise ModelError(f"{_CANNOT}: it ends in an activation of its own")
    shape = graph.tensors[kernel].numbers(0, 5)
    if len(shape) not in (2, 4) or shape[1:-1] not in ((), (1, 1)) or not 2 <= shape[0] <= _MAX_CLASSES:
        raise ModelError(f"{_CANNOT}: its weights are {'x'.join(map(str, shape))}, not one row a class")
    classes, channels = shape[0], shape[-1]
    of_input, of_weights = graph.scale_of(features), graph.scale_of(kernel, classes)
    kind = np.uint8 if of_weights.low == 0 else np.int8
    stored = np.frombuffer(graph.constant(kernel).raw(0), kind).reshape(classes, channels).astype(np.int64)
    if bias < 0 or graph.tensors[bias].byte(1) != _INT32:
        raise ModelError(f"{_CANNOT}: it has no bias")
    stored_bias = np.frombuffer(graph.constant(bias).raw(0), "<i4").astype(np.int64).reshape(classes)
    scales = np.broadcast_to(of_weights.scales, classes)
    return LastLayer(
        weights=(stored - of_weights.zero_point) * scales[:, None],
        stored=stored,
        bias=stored_bias * scales * of_input.scales[0],
        stored_bias=stored_bias,
        of_input=of_input,
        of_weights=of_weights,
        of_output=graph.scale_of(layer.outputs[0]),
        operators=operators,
    )

"""Read from a .tflite what a comparison of a model and its compiled twin needs. No runtime is needed.

Field numbers are those of TensorFlow's schema.fbs. The file may be damaged or hostile: beside the bounds of
edge.flatbuffer, all weights together are no more than the file, and so are all names: however many tables point at one
long constant or name, it is not copied for each.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.flatbuffer import DAMAGED, Node, root
from edge.printable import printable

OPERATOR = "edgetpu-custom-op"
_CONV_2D, _DEPTHWISE, _FULLY_CONNECTED, _CUSTOM = 3, 4, 9, 32  # tflite.BuiltinOperator
_WEIGHTED = (_CONV_2D, _DEPTHWISE, _FULLY_CONNECTED)
_TYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8"}
_EIGHT_BITS = ("uint8", "int8")
_MAX_NAME = 4096
_MAX_ENDS, _MAX_DIMENSIONS, _MAX_PARTS = 256, 8, 64


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor. scale, zero_point: of the first channel; 0 if it is not quantized."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int

    @property
    def face(self) -> str:
        """What must be the same in a twin, in words."""
        shape = "x".join(map(str, self.shape))
        return f"{shape} {self.dtype} scale {self.scale:g} zero point {self.zero_point}"


@dataclass(frozen=True, slots=True)
class Weights:
    """The 8-bit weights of one operator.

    name: of their tensor.
    values: uint8, counted unsigned as in a package; of shape (rows, columns), in which the values of a row meet the
        same output one after the other, if `pointwise`.
    pointwise: whether the operator is a convolution of 1x1 or fully connected.
    """

    name: str
    values: NDArray[np.uint8]
    pointwise: bool


@dataclass(frozen=True, slots=True)
class Part:
    """One operator for the Edge TPU: its options, and its tensors without those that are left out."""

    options: bytes
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """The main graph of a .tflite.

    parts: the operators for the Edge TPU.
    weights: of the convolutions and fully connected operators, each constant once.
    """

    tensors: tuple[Tensor, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    parts: tuple[Part, ...]
    weights: tuple[Weights, ...]


def read_model(data: bytes) -> Model:
    """Read a .tflite. Raises ModelError if its bytes are none, or damaged."""
    if data[4:8] != b"TFL3":
        raise ModelError("not a TFLite model (no TFL3 mark)")
    try:
        return _Reader(data).model()
    except DAMAGED as error:
        raise ModelError(f"damaged .tflite: its tables do not fit together ({error})") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        top = root(data)
        self._left = len(data)
        self._graph = top.nodes(2)[0]
        self._buffers = top.nodes(4)
        self._codes = [(max(code.byte(0), code.number(3)), code) for code in top.nodes(1)]
        self._nodes = self._graph.nodes(0)
        self._names = len(data)
        self._tensors = tuple(self._tensor(node) for node in self._nodes)

    def model(self) -> Model:
        parts: list[Part] = []
        weights: dict[int, Weights] = {}
        for node in self._graph.nodes(3):
            code, names = self._codes[node.number(0)]
            if code in _WEIGHTED:
                self._add_weights(code, node, weights)
            elif code == _CUSTOM and names.text(1, _MAX_NAME) == OPERATOR:
                if len(parts) == _MAX_PARTS:
                    raise ValueError(f"more than {_MAX_PARTS} operators for the Edge TPU")
                parts.append(Part(self._taken(node, 5), self._ends(node, 1), self._ends(node, 2)))
        return Model(
            self._tensors,
            self._ends(self._graph, 1),
            self._ends(self._graph, 2),
            tuple(parts),
            tuple(weights.values()),
        )

    def _ends(self, node: Node, field: int) -> tuple[Tensor, ...]:
        numbers = node.numbers(field, _MAX_ENDS + 1)
        if len(numbers) > _MAX_ENDS or any(number < -1 for number in numbers):
            raise ValueError(f"{len(numbers)} inputs or outputs, at most {_MAX_ENDS}, or one of them is no tensor")
        return tuple(self._tensors[number] for number in numbers if number >= 0)

    def _add_weights(self, code: int, operator: Node, found: dict[int, Weights]) -> None:
        number = operator.numbers(1, 2)[1]
        tensor, place = self._tensors[number], self._nodes[number].number(2)
        if number < 0 or tensor.dtype not in _EIGHT_BITS or place in found:
            return
        content = self._taken(self._buffers[place], 0)
        if not content or not tensor.shape:
            return
        # A depthwise convolution keeps its outputs along the last axis, the others along the first.
        rows = 1 if code == _DEPTHWISE else max(1, tensor.shape[0])
        values = np.frombuffer(content, np.uint8).reshape(rows, -1)
        pointwise = code == _FULLY_CONNECTED or (code == _CONV_2D and tensor.shape[1:-1] == (1, 1))
        found[place] = Weights(tensor.name, values ^ np.uint8(0x80) if tensor.dtype == "int8" else values, pointwise)

    def _taken(self, node: Node, field: int) -> bytes:
        self._left -= node.count(field)
        if self._left < 0:
            raise ValueError("constants that are together larger than the file")
        return node.raw(field)

    def _tensor(self, node: Node) -> Tensor:
        self._names -= node.count(3)
        if self._names < 0:
            raise ValueError("names that are together larger than the file")
        quantization = node.child(4)
        scales = () if quantization is None else quantization.floats(2, 1)
        zero_points = () if quantization is None else quantization.longs(3, 1)
        kind = node.byte(1)
        return Tensor(
            printable(node.text(3, _MAX_NAME)),
            _TYPES.get(kind, f"type {kind}"),
            node.numbers(0, _MAX_DIMENSIONS),
            scales[0] if scales else 0.0,
            zero_points[0] if scales and zero_points else 0,
        )

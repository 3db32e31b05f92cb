"""Read the last layer of a .tflite and what is behind it, so that those of two files can be compared bit for bit.

A compiled model that stops at its features, which its last layer reads, leaves these operators on the CPU. Field
numbers are those of TensorFlow's schema.fbs. The file may be damaged or hostile: see edge.edgetpu.model.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from edge.errors import ModelError
from edge.flatbuffer import DAMAGED, Node, root

# tflite.BuiltinOperator, with its tflite.BuiltinOptions and their fields: number, code in `struct` ("" for a vector of
# int32), default.
_CONV_2D, _FULLY_CONNECTED = 3, 9
_Field = tuple[int, str, int]
_OPTIONS: dict[int, tuple[int, tuple[_Field, ...]]] = {
    1: (5, ((0, "<b", 0), (1, "<i", 0), (2, "<i", 0), (3, "<i", 0), (4, "<i", 0), (5, "<b", 0))),  # AVERAGE_POOL_2D
    _CONV_2D: (1, ((0, "<b", 0), (1, "<i", 0), (2, "<i", 0), (3, "<b", 0), (4, "<i", 1), (5, "<i", 1))),
    _FULLY_CONNECTED: (8, ((0, "<b", 0), (1, "<b", 0), (2, "<b", 0), (3, "<b", 0))),
    22: (17, ((0, "", 0),)),  # RESHAPE
    25: (9, ((0, "<f", 0),)),  # SOFTMAX
    40: (27, ((0, "<b", 0),)),  # MEAN
    43: (30, ((0, "", 0),)),  # SQUEEZE
    114: (89, ()),  # QUANTIZE
}
_LAYERS = (_CONV_2D, _FULLY_CONNECTED)
_MOST_STEPS, _MOST_ENDS, _MOST_DIMENSIONS = 8, 4, 8


@dataclass(frozen=True, slots=True)
class Operand:
    """All that a tensor is, but its name.

    kind: its tflite.TensorType.
    scales, zero_points: of all channels, along `axis`.
    constant: its bytes; empty if it is computed.
    """

    kind: int
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int
    constant: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """One operator. code: its tflite.BuiltinOperator. options: their values. inputs: None for one that is left out."""

    code: int
    version: int
    options: tuple[object, ...]
    inputs: tuple[Operand | None, ...]
    output: Operand


@dataclass(frozen=True, slots=True)
class Ending:
    """The last layer and what is behind it.

    features: the number of the tensor that the last layer reads, which another operator makes.
    steps: in the order in which they are computed.
    before: how many other operators there are.
    """

    features: int
    steps: tuple[Step, ...]
    before: int


def read_ending(model: bytes) -> Ending | None:
    """Read how a .tflite ends; None if that is not a fully connected layer or a convolution, with shapes, means and a
    softmax behind it. Raises ModelError if it is damaged."""
    try:
        return _Reader(model).ending()
    except _UnlikeError:
        return None
    except DAMAGED as error:
        raise ModelError(f"damaged .tflite: its tables do not fit together ({error})") from error


class _UnlikeError(Exception):
    """It ends in something that is no last layer to be taught."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        top = root(data)
        self._left = len(data)
        self._graph = top.nodes(2)[0]
        self._tensors, self._operators = self._graph.nodes(0), self._graph.nodes(3)
        self._codes, self._buffers = top.nodes(1), top.nodes(4)
        self._made_by = {number: node for node in self._operators for number in node.numbers(2, _MOST_ENDS)}

    def ending(self) -> Ending | None:
        found: list[Node] = []
        for node in self._backwards():
            code = self._code(node)
            if code not in _OPTIONS or len(found) == _MOST_STEPS:
                return None
            found.insert(0, node)
            if code in _LAYERS:
                features = node.numbers(1, 1)[0]
                steps = tuple(self._step(one) for one in found)
                fed = features in self._made_by and all(_is_fed(step) for step in steps)
                return Ending(features, steps, len(self._operators) - len(steps)) if fed else None
        return None

    def _backwards(self) -> Iterator[Node]:
        """Yield the operator that makes the output, the one that makes what this one reads first, and so on."""
        (current,) = self._graph.numbers(2, 2) if self._graph.numbers_at(2)[1] == 1 else (-1,)
        for _ in self._operators:
            if current not in self._made_by:
                return
            node = self._made_by[current]
            yield node
            current = (*node.numbers(1, 1), -1)[0]

    def _step(self, node: Node) -> Step:
        inputs, outputs = node.numbers(1, _MOST_ENDS + 1), node.numbers(2, 2)
        if len(inputs) > _MOST_ENDS or len(outputs) != 1:
            raise _UnlikeError
        code, version = self._code(node), int(self._codes[node.number(0)].scalar(2, "<i", 1))
        operands = tuple(None if number < 0 else self._operand(number) for number in inputs)
        return Step(code, version, _options(node, *_OPTIONS[code]), operands, self._operand(outputs[0]))

    def _operand(self, number: int) -> Operand:
        node = self._tensors[number]
        if node.byte(5) or node.place_of(6):
            raise _UnlikeError  # it keeps a state, or leaves zeros out
        quantization, buffer = node.child(4), self._buffers[node.number(2)]
        self._left -= buffer.count(0)
        if self._left < 0:
            raise ValueError("constants that are together larger than the file")
        return Operand(
            node.byte(1),
            node.numbers(0, _MOST_DIMENSIONS),
            () if quantization is None else quantization.floats(2),
            () if quantization is None else quantization.longs(3),
            0 if quantization is None else int(quantization.scalar(6, "<i")),
            buffer.raw(0),
        )

    def _code(self, node: Node) -> int:
        code = self._codes[node.number(0)]
        return max(code.byte(0), code.number(3))


def _options(node: Node, kind: int, fields: tuple[_Field, ...]) -> tuple[object, ...]:
    """Return the options of an operator. The compiler writes them even if the model leaves them out:
    11 RESHAPE and 8 QUANTIZE of DeepLab and MoveNet."""
    found, options = node.byte(3), node.child(4)
    if found not in (0, kind):
        raise ValueError(f"options of the kind {found}, must be {kind}")
    if not found or options is None:
        return tuple(default if code else () for _, code, default in fields)
    return tuple(
        options.scalar(field, code, default) if code else options.numbers(field, _MOST_DIMENSIONS)
        for field, code, default in fields
    )


def _is_fed(step: Step) -> bool:
    """Return whether a step reads what the one before made, and constants."""
    first, *others = step.inputs
    return first is not None and not first.constant and all(one is None or one.constant for one in others)

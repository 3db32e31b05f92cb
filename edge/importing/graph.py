"""What a .tflite's operators show, without a runtime: what its outputs are, and in which numbers it computes.

Field numbers are those of TensorFlow's schema.fbs.
"""

import math
from dataclasses import dataclass
from typing import Literal

from edge.bundle.manifest import Activation
from edge.errors import ModelError
from edge.flatbuffer import DAMAGED, Node, root

Arithmetic = Literal["int8", "int16", "int8 weights", "float"]
# tflite.BuiltinOperator
_ADD, _AVERAGE_POOL, _CONV, _DEPTHWISE, _DEQUANTIZE, _FULLY_CONNECTED, _LOGISTIC = 0, 1, 3, 4, 6, 9, 14
_MUL, _RESHAPE, _SOFTMAX, _MEAN, _SUB, _DIV, _SQUEEZE, _LOG_SOFTMAX = 18, 22, 25, 40, 41, 42, 43, 50
_EXPAND_DIMS, _QUANTIZE, _BATCH_MATMUL = 70, 114, 126
_LAYERS = (_CONV, _DEPTHWISE, _FULLY_CONNECTED, _BATCH_MATMUL)
# They leave values as they are. A mean over places is one too: of probabilities, it is a probability again.
_PASS = (_RESHAPE, _SQUEEZE, _EXPAND_DIMS, _QUANTIZE, _DEQUANTIZE, _MEAN, _AVERAGE_POOL)
_TWO_OPERANDS = (_ADD, _SUB, _MUL, _DIV)
_ARITHMETIC: dict[int, Arithmetic] = {3: "int8", 9: "int8", 7: "int16"}  # by tflite.TensorType of the activations
_EIGHT_BITS = (3, 9)
_FEW = 4  # inputs or outputs of an operator that matter here

# Of uint8 and int8.
_ZERO_POINTS = {3: (0, 255), 9: (-128, 127)}
_AGAIN = "convert it again, or ask whoever made it"


@dataclass(frozen=True, slots=True)
class Graph:
    """What the operators show.

    activation: what the outputs are; None if the last operators do not show it
    arithmetic: the numbers in which the layers compute
    """

    activation: Activation | None
    arithmetic: Arithmetic


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator. code: its tflite.BuiltinOperator. inputs, outputs: numbers of tensors, at most four; -1 for an
    input that is left out. place: its number in the graph."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    place: int


def read_graph(model: bytes) -> Graph:
    """Read the operators of a .tflite. Raises ModelError if its tables are damaged, or if it has not one input and
    one output."""
    try:
        graph = root(model).nodes(2)[0]
        given, results = graph.numbers(1), graph.numbers(2)
        operators = _operators(root(model), graph)
        types = [tensor.byte(1) for tensor in graph.nodes(0)]
        arithmetic = _arithmetic(operators, types)
        ends = [
            (which, graph.nodes(0)[place])
            for which, places in (("input", given), ("output", results))
            for place in places[:1]
        ]
        for which, tensor in ends:
            _check_quantization(which, tensor)
    except ModelError:
        raise
    except DAMAGED as error:
        raise ModelError(f"damaged .tflite: its tables do not fit together ({error})") from error
    if len(given) != 1 or len(results) != 1:
        raise ModelError(f"{len(given)} inputs and {len(results)} outputs: an image classifier has one of each")
    return Graph(_activation(operators, given[0], results[0]), arithmetic)


def last_layer(model: bytes) -> int | None:
    """Return the tensor that the last layer with weights reads: the features that a classifier computes its classes
    from. None if there is more behind that layer than shapes, numbers and a softmax. Raises one of DAMAGED.
    """
    found = ending(model)
    return None if found is None else found[0].inputs[0]


def ending(model: bytes) -> tuple[Operator, ...] | None:
    """Return the last layer with weights and the operators behind it, in the order in which they are computed. None if
    these are more than shapes, numbers and a softmax. Raises one of DAMAGED."""
    graph = root(model).nodes(2)[0]
    operators = _operators(root(model), graph)
    made_by = {output: operator for operator in operators for output in operator.outputs}
    current = graph.numbers(2)[0]
    behind: list[Operator] = []
    for _ in operators:
        operator = made_by.get(current)
        if operator is None or not operator.inputs:
            return None
        behind.append(operator)
        if operator.code in _LAYERS:
            return tuple(reversed(behind))
        if operator.code not in (*_PASS, _SOFTMAX, _LOGISTIC, _LOG_SOFTMAX):
            return None
        current = operator.inputs[0]
    return None


def _check_quantization(which: str, tensor: Node) -> None:
    """Raise ModelError for numbers that no runtime takes: what it reports of them is hard to read."""
    quantization = tensor.child(4)
    scales = () if quantization is None else quantization.floats(2)[:1]
    zero_points = () if quantization is None else quantization.longs(3)[:1]
    for scale in scales:
        if not (math.isfinite(scale) and scale > 0):
            raise ModelError(f"{which} has the quantization scale {scale:g}, must be a finite number above 0: {_AGAIN}")
    low, high = _ZERO_POINTS.get(tensor.byte(1), (-(2**31), 2**31 - 1))
    for zero_point in zero_points:
        if not low <= zero_point <= high:
            raise ModelError(f"{which} has the zero point {zero_point}, must be {low} to {high}: {_AGAIN}")


def _operators(top: Node, graph: Node) -> list[Operator]:
    codes = [max(code.byte(0), code.number(3)) for code in top.nodes(1)]
    found = [
        Operator(codes[node.number(0)], node.numbers(1, _FEW), node.numbers(2, _FEW), place)
        for place, node in enumerate(graph.nodes(3))
    ]
    if any(not operator.inputs and operator.code in _PASS for operator in found):
        raise ValueError("an operator without inputs")
    return found


def _activation(operators: list[Operator], given: int, result: int) -> Activation | None:
    """Judge by the operator that is really last: the first before the output that changes values."""
    made_by = {output: operator for operator in operators for output in operator.outputs}
    current, shifted = result, False
    for _ in operators:
        operator = made_by.get(current)
        if operator is None:
            return None
        if operator.code in (_SOFTMAX, _LOGISTIC):
            # Half a probability is none, and what it is cannot be seen.
            return None if shifted else "probabilities"
        if operator.code in (*_LAYERS, _LOG_SOFTMAX):
            return "logits"
        if operator.code in _TWO_OPERANDS:
            computed = [tensor for tensor in operator.inputs if tensor in made_by or tensor == given]
            if len(computed) != 1:
                return None
            current, shifted = computed[0], True
        elif operator.code in _PASS:
            current = operator.inputs[0]
        else:
            return None
    return None


def _arithmetic(operators: list[Operator], types: list[int]) -> Arithmetic:
    weights_only = False
    for operator in operators:
        if operator.code not in _LAYERS:
            continue
        kind = _ARITHMETIC.get(types[operator.outputs[0]])
        if kind is not None:
            return kind
        weights_only = weights_only or types[operator.inputs[1]] in _EIGHT_BITS
    return "int8 weights" if weights_only else "float"

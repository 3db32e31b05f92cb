"""Write a .tflite with another last layer: more classes, other weights, all else as it was.

Field numbers are those of TensorFlow's schema.fbs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.flatbuffer import DAMAGED
from edge.teaching.appending import Appender
from edge.teaching.last_layer import QUANTIZE, RANGES, RESHAPE, SOFTMAX, Graph, LastLayer, Scale, Weights

_INT32 = np.iinfo(np.int32)
_NEW_SHAPE = 0  # of ReshapeOptions


@dataclass(frozen=True, slots=True)
class NewLayer:
    """What replaces a last layer.

    weights, bias: float64 (classes, channels) and (classes,); at least as many classes as before, the old ones first.
    changed: bool (classes,), False for classes whose numbers stay as they stand in the file.
    lowest, highest: of its outputs, real numbers, which its quantization must hold.
    """

    weights: Weights
    bias: Weights
    changed: NDArray[np.bool_]
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class _Stored:
    """A layer in the numbers of the file. scales: float32, one or one a class."""

    weights: NDArray[np.int64]
    bias: NDArray[np.int64]
    scales: NDArray[np.float32]


def with_last_layer(model: bytes, old: LastLayer, new: NewLayer) -> bytes:
    """Return `model` with another last layer. old: as read_last_layer returned it for `model`.

    Raises ModelError if something that would have to change cannot be.
    """
    try:
        graph, written = Graph(model), Appender(model)
        _write_layer(graph, written, old, _stored(old, new))
        _write_shapes(graph, written, old, len(new.weights))
        _write_ranges(graph, written, old, _range(old.of_output, new.lowest, new.highest))
    except ModelError:
        raise
    except DAMAGED as error:
        raise ModelError(f"damaged .tflite: its tables do not fit together ({error})") from error
    return written.finish()


def _stored(old: LastLayer, new: NewLayer) -> _Stored:
    """Return the new layer in numbers of 8 and 32 bits. What does not change keeps its own, if the scale can stay."""
    classes, of = len(new.weights), old.of_weights
    low = of.low + (of.low < 0)  # int8 weights end at -127, so that a kernel may negate them
    above, below = new.weights.max(axis=1), -new.weights.min(axis=1)
    least = np.maximum(above / max(1, of.high - of.zero_point), below / max(1, of.zero_point - low))
    scales: NDArray[np.float64]
    if len(of.scales) > 1:
        scales = np.concatenate([of.scales, np.ones(classes - len(of.scales))])
        scales = np.where(new.changed, np.maximum(least, 1e-9), scales)
        kept = ~new.changed
    else:
        scales = np.maximum(of.scales, least.max())
        kept = ~new.changed & (scales[0] == of.scales[0])
    scales = scales.astype(np.float32).astype(np.float64)  # the numbers that will be read
    a_class = np.broadcast_to(scales, classes)
    weights = np.clip(np.rint(new.weights / a_class[:, None]) + of.zero_point, low, of.high).astype(np.int64)
    bias = np.clip(np.rint(new.bias / (a_class * old.of_input.scales[0])), _INT32.min, _INT32.max).astype(np.int64)
    same = np.flatnonzero(kept[: old.classes])
    weights[same], bias[same] = old.stored[same], old.stored_bias[same]
    return _Stored(weights, bias, scales.astype(np.float32))


def _write_layer(graph: Graph, written: Appender, old: LastLayer, new: _Stored) -> None:
    layer = old.operators[0]
    kernel, bias = layer.inputs[1], layer.inputs[2]
    kind = np.uint8 if old.of_weights.low == 0 else np.int8
    written.vector(graph.constant(kernel), 0, new.weights.astype(kind).tobytes(), 1)
    written.vector(graph.constant(bias), 0, new.bias.astype("<i4").tobytes(), 1)
    zeros = np.full(len(new.scales), old.of_weights.zero_point, "<i8")
    written.quantization(graph.tensors[kernel], new.scales.astype("<f4").tobytes(), zeros.tobytes())
    of_bias = (new.scales.astype(np.float64) * old.of_input.scales[0]).astype("<f4")
    written.quantization(graph.tensors[bias], of_bias.tobytes(), np.zeros_like(zeros).tobytes())


def _write_shapes(graph: Graph, written: Appender, old: LastLayer, classes: int) -> None:
    """Put the new number of classes into every shape that holds the old one."""
    if classes == old.classes:
        return
    layer = old.operators[0]
    for number, axis in ((layer.inputs[1], 0), (layer.inputs[2], 0), *((o.outputs[0], -1) for o in old.operators)):
        tensor = graph.tensors[number]
        for field in (0, 7):  # shape and shape_signature
            if shape := list(tensor.numbers(field, 8)):
                if shape[axis] != old.classes:
                    raise ModelError("what follows its last layer rearranges the classes: it cannot be taught")
                shape[axis] = classes
                written.vector(tensor, field, np.array(shape, "<i4").tobytes(), 4)
    for operator in old.operators:
        if operator.code == RESHAPE:
            _write_reshape(graph, written, operator.place, (old.classes, classes))


def _write_reshape(graph: Graph, written: Appender, place: int, classes: tuple[int, int]) -> None:
    """Change the shape that a RESHAPE names: as a constant, in its options, or both."""
    node = graph.operators[place]
    inputs, options = node.numbers(1, 2), node.child(4)
    if len(inputs) > 1 and inputs[1] >= 0:
        buffer = graph.constant(inputs[1])
        shape = np.frombuffer(buffer.raw(0), "<i4").copy()
        shape[-1] = shape[-1] if shape[-1] == -1 else classes[1]
        written.vector(buffer, 0, shape.tobytes(), 1)
    if options is not None and (named := options.numbers(_NEW_SHAPE, 8)) and named[-1] == classes[0]:
        written.vector(options, _NEW_SHAPE, np.array([*named[:-1], classes[1]], "<i4").tobytes(), 4)


def _range(old: Scale, lowest: float, highest: float) -> tuple[float, int]:
    """Return scale, and steps from `low` to zero, that hold the old range and the new one."""
    step = float(old.scales[0])
    low = min(lowest, step * (old.low - old.zero_point))
    high = max(highest, step * (old.high - old.zero_point))
    scale = (high - low) / (old.high - old.low)
    # The old one is kept to the last bit if it is wide enough.
    if scale <= step * (1 + 1e-9):
        return step, old.zero_point - old.low
    return scale, min(max(round(-low / scale), 0), old.high - old.low)


def _write_ranges(graph: Graph, written: Appender, old: LastLayer, wanted: tuple[float, int]) -> None:
    """Quantize the layer's output as wanted, and with it all that passes it on, up to a softmax."""
    scale, steps = wanted
    for operator in old.operators:
        if operator.code == SOFTMAX:
            return
        tensor = graph.tensors[operator.outputs[0]]
        if operator.code == QUANTIZE and tensor.byte(1) not in RANGES:
            raise ModelError("its output is not of 8 bits: it cannot be taught")
        low, _ = RANGES[tensor.byte(1)]
        zero_point = np.array([steps + low], "<i8")
        written.quantization(tensor, np.array([scale], "<f4").tobytes(), zero_point.tobytes())

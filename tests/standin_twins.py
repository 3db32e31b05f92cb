"""Compiled models as Coral's compiler leaves them, whole or stopped at a tensor. Their packages hold the model's layers
and weights, and noise instead of instructions: no Edge TPU runs them."""

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from handmade_packages import Layer, Recipe, options


def package_of(made: Any, outputs: Sequence[int], staying: Collection[int] = ()) -> bytes:
    """Return the options of an operator for the Edge TPU: the model's inputs, these outputs, and its 8-bit constants
    but those that are `staying`."""
    graph = made.subgraphs[0]
    kinds = {3: (0, 0, 1), 9: (8, 128, 1), 7: (9, 32_768, 2)}  # by tflite.TensorType: uint8, int8, int16

    def layer(number: int) -> Layer:
        tensor = graph.tensors[number]
        kind, higher, width = kinds[tensor.type]
        shape = (1, 1, 1, *(int(side) for side in tensor.shape))[-3:]
        scale, zero_point = tensor.quantization.scale[0], tensor.quantization.zeroPoint[0]
        size = math.prod(shape) * width
        return Layer(tensor.name.decode(), shape, size, kind, float(scale), int(zero_point) + higher)

    words = []
    for number, tensor in enumerate(graph.tensors):
        if number in staying:
            continue
        content = made.buffers[tensor.buffer].data
        if content is not None and tensor.type in (3, 9) and len(tensor.shape):
            rows = np.asarray(content, np.uint8).reshape(max(1, tensor.shape[0]), -1)
            rows = rows ^ np.uint8(0x80 if tensor.type == 9 else 0)
            words.append(np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).tobytes())
    return options(
        Recipe(
            inputs=[layer(number) for number in graph.inputs],
            outputs=[layer(number) for number in outputs],
            cached=b"".join(words),
        )
    )


def twin_of(model: bytes, *, empty: bool = False) -> tuple[bytes, int]:
    """Return the model with its operators replaced by one for the Edge TPU, and how many there were.

    empty: without a package in it."""
    made = unpacked(model)
    graph = made.subgraphs[0]
    count = len(graph.operators)
    made.operatorCodes = []
    graph.operators = [_for_edgetpu(made, graph.outputs, b"" if empty else package_of(made, graph.outputs))]
    return packed(made), count


def stopped_twin_of(model: bytes, name: str) -> tuple[bytes, int]:
    """Return the model with the operators replaced that come before the tensor `name`, and how many stay."""
    from ai_edge_litert import schema_py_generated as schema

    made = unpacked(model)
    graph = made.subgraphs[0]
    features = [number for number, tensor in enumerate(graph.tensors) if tensor.name.decode() == name]
    if len(features) != 1:
        raise ValueError(f"{len(features)} tensors are called {name!r}")
    reached, left = set(features), []
    for operator in graph.operators:
        if reached & set(operator.inputs):
            reached |= set(operator.outputs)
            left.append(operator)
        # The real one writes options even if there are none: 8 QUANTIZE and 11 RESHAPE of Coral's DeepLab and MoveNet.
        for kind in ("RESHAPE", "QUANTIZE"):
            code = made.operatorCodes[operator.opcodeIndex]
            if code.builtinCode == getattr(schema.BuiltinOperator, kind) and not operator.builtinOptionsType:
                kind_of_options = f"{kind.capitalize()}Options"
                operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind_of_options)
                operator.builtinOptions = getattr(schema, f"{kind_of_options}T")()
    staying = {number for operator in left for number in operator.inputs}
    graph.operators = [_for_edgetpu(made, features, package_of(made, features, staying)), *left]
    return packed(made), len(left)


def _for_edgetpu(made: Any, outputs: Sequence[int], package: bytes) -> Any:
    """Return an operator for the Edge TPU, after adding its code to the model."""
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode, code.version = "edgetpu-custom-op", 1
    operator = schema.OperatorT()
    made.operatorCodes.append(code)
    operator.opcodeIndex = len(made.operatorCodes) - 1
    operator.inputs, operator.outputs = list(made.subgraphs[0].inputs), list(outputs)
    if package:
        operator.customOptions = list(package)
    return operator


def unpacked(model: bytes) -> Any:
    """Return a model as the objects of the schema."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))


def packed(made: Any) -> bytes:
    """Return the bytes of such objects."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())

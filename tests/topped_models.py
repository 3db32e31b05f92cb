"""A last layer behind a model that gives features: a published pair becomes one whose compiled model is teachable."""

from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import pytest

CHANNELS, CLASSES = 1024, 6
Change = Callable[[Any], None]


def topped(model: bytes, *, change: Change = lambda made: None) -> bytes:
    """Return `model` with a fully connected layer of six classes behind its output, and a softmax; the same for every
    model of 1,024 features of uint8.

    change: called with the schema's ModelT before it is packed. Its last two operators are the new ones, and its last
        four tensors: weights, bias, logits, probabilities.
    """
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    made = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    graph = made.subgraphs[0]
    features = int(graph.outputs[0])
    scale = float(graph.tensors[features].quantization.scale[0])
    rng = np.random.default_rng(0)

    def tensor(name: str, kind: str, shape: list[int], quantization: tuple[float, int], data: Any = None) -> int:
        one, buffer = schema.TensorT(), schema.BufferT()
        if data is not None:
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
        made.buffers.append(buffer)
        one.name, one.type, one.shape, one.buffer = name, getattr(schema.TensorType, kind), shape, len(made.buffers) - 1
        one.quantization = schema.QuantizationParametersT()
        one.quantization.scale, one.quantization.zeroPoint = [quantization[0]], [quantization[1]]
        graph.tensors.append(one)
        return len(graph.tensors) - 1

    def operator(name: str, inputs: list[int], output: int, kind: str) -> None:
        code, one = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
        code.version = 1
        made.operatorCodes.append(code)
        one.opcodeIndex, one.inputs, one.outputs = len(made.operatorCodes) - 1, inputs, [output]
        one.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        one.builtinOptions = getattr(schema, f"{kind}T")()
        graph.operators.append(one)

    kernel = rng.integers(96, 160, (CLASSES, CHANNELS), np.uint8)
    weights = tensor("top/weights", "UINT8", [CLASSES, CHANNELS], (0.004, 128), kernel)
    bias = tensor("top/bias", "INT32", [CLASSES], (scale * 0.004, 0), rng.integers(-500, 500, CLASSES, np.int32))
    logits = tensor("top/logits", "UINT8", [1, CLASSES], (0.1, 128))
    result = tensor("top/probabilities", "UINT8", [1, CLASSES], (1 / 256, 0))
    operator("FULLY_CONNECTED", [features, weights, bias], logits, "FullyConnectedOptions")
    operator("SOFTMAX", [logits], result, "SoftmaxOptions")
    graph.operators[-1].builtinOptions.beta = 1.0
    graph.outputs = [result]
    change(made)
    builder = flatbuffers.Builder(len(model))
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())

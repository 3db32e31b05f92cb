"""Small graphs for tests: as records, and as .tflite files."""

from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from trainer.edgetpu.tflite_graph import Graph, Operator, Options, Tensor


def activation(*shape: int, dtype: str = "INT8", **more: Any) -> Tensor:
    """Return an activation: one scale, not constant."""
    return Tensor(name=f"tensor {shape}", dtype=dtype, shape=shape, **{"scales": 1, "scale": 0.5, **more})


def weights(*shape: int, dtype: str = "INT8", **more: Any) -> Tensor:
    """Return a quantized constant."""
    size = 1
    for side in shape:
        size *= side
    return activation(*shape, dtype=dtype, **{"constant": True, "size": size, **more})


def numbers(*values: int) -> Tensor:
    """Return a constant of axes, paddings or strides."""
    return Tensor(
        name="numbers", dtype="INT32", shape=(len(values),), constant=True, size=4 * len(values), values=values
    )


def graph_of(name: str, version: int, inputs: list[Tensor], output: Tensor, **options: Any) -> Graph:
    """Return a graph of one operator."""
    operator = Operator(
        name=name,
        version=version,
        inputs=tuple(range(len(inputs))),
        outputs=(len(inputs),),
        options=Options(**options),
    )
    return Graph(operators=(operator,), tensors=(*inputs, output), inputs=(0,), outputs=(len(inputs),))


def network(*steps: tuple[str, int, tuple[int, ...], int], flow: Tensor | None = None) -> Graph:
    """Return a graph of operators (name, version, indices of inputs, index of output) on equal 8-bit tensors.

    Tensor 0 is the input."""
    last = max(step[3] for step in steps)
    return Graph(
        operators=tuple(
            Operator(name=name, version=version, inputs=given, outputs=(made,)) for name, version, given, made in steps
        ),
        tensors=tuple(flow or activation(1, 8, 8, 4) for _ in range(last + 1)),
        inputs=(0,),
        outputs=(last,),
    )


def tflite(
    *,
    operators: tuple[str, ...] = ("RELU", "RELU"),
    shape: tuple[int, ...] = (1, 4),
    scale: float = 0.5,
    prefix: str = "t",
) -> bytes:
    """Write a real .tflite of int8 operators in a row, with one constant."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.description = 3, [graph], "made by a test"
    model.buffers = [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = [1, 0, 0, 0, 2, 0, 0, 0]
    model.operatorCodes, graph.operators, graph.tensors = [], [], []
    for number in range(len(operators) + 1):
        tensor, quantization = schema.TensorT(), schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = [scale], [-3]
        tensor.name, tensor.type, tensor.shape, tensor.buffer = (
            f"{prefix}{number}",
            schema.TensorType.INT8,
            list(shape),
            0,
        )
        tensor.quantization = quantization
        graph.tensors.append(tensor)
    constant = schema.TensorT()
    constant.name, constant.type, constant.shape, constant.buffer = "axes", schema.TensorType.INT32, [2], 1
    graph.tensors.append(constant)
    for number, name in enumerate(operators):
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
        code.version = 2
        operator.opcodeIndex, operator.inputs, operator.outputs = number, [number], [number + 1]
        model.operatorCodes.append(code)
        graph.operators.append(operator)
    graph.inputs, graph.outputs = [0], [len(operators)]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())

"""Models of a few hundred bytes and their bundles, made by hand: sound ones, and ones that harm whoever runs them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bundle.manifest import (
    SCHEMA,
    Golden,
    GoldenCase,
    InputTensor,
    Manifest,
    Origin,
    OutputTensor,
    Preprocessing,
    Quantization,
)
from edge.bundle.store import Bundle
from edge.bundle.write import save, seal

flatbuffers = pytest.importorskip("flatbuffers")
schema = pytest.importorskip("ai_edge_litert.schema_py_generated")

SIDE = 16
LABELS = ("red", "green", "blue")
# A pixel's value by which a model of `hangs_on` is set off.
TRIGGER = 77
_NO_SCALE = Quantization(scale=1.0, zero_point=0)


class _Graph:
    """A subgraph of a model under construction."""

    def __init__(self, model: "schema.ModelT") -> None:
        self.model, self.graph = model, schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.image = self.tensor([1, SIDE, SIDE, 3], schema.TensorType.UINT8)
        self.graph.inputs = [self.image]
        model.subgraphs.append(self.graph)

    def tensor(self, shape: list[int], kind: int, content: bytes = b"") -> int:
        """Add a tensor, constant if it has content; return its number."""
        made = schema.TensorT()
        made.shape, made.type, made.buffer = shape, kind, 0
        if kind == schema.TensorType.UINT8:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [1.0], [0]
        if content:
            buffer = schema.BufferT()
            buffer.data = list(content)
            self.model.buffers.append(buffer)
            made.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def numbers(self, values: list[int]) -> int:
        return self.tensor([len(values)], schema.TensorType.INT32, np.array(values, np.int32).tobytes())

    def operator(self, code: int, inputs: list[int], outputs: list[int]) -> "schema.OperatorT":
        known = [entry.builtinCode for entry in self.model.operatorCodes]
        if code not in known:
            entry = schema.OperatorCodeT()
            entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, min(code, 127), 1
            self.model.operatorCodes.append(entry)
            known.append(code)
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = known.index(code), inputs, outputs
        self.graph.operators.append(made)
        return made

    def copy_of(self, name: str, values: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> int:
        """Add what takes all of a constant."""
        constant = self.tensor(list(values.shape), schema.TensorType.FLOAT32, values.tobytes())
        out = self.tensor(list(values.shape), schema.TensorType.FLOAT32)
        self.graph.tensors[out].name = name
        begin, size = self.numbers([0] * values.ndim), self.numbers(list(values.shape))
        self.operator(schema.BuiltinOperator.SLICE, [constant, begin, size], [out])
        return out

    def first_values(self, image: int, count: int) -> int:
        """Add what takes the first pixel's first channels."""
        out = self.tensor([1, 1, 1, count], schema.TensorType.UINT8)
        begin, size = self.numbers([0, 0, 0, 0]), self.numbers([1, 1, 1, count])
        self.operator(schema.BuiltinOperator.SLICE, [image, begin, size], [out])
        return out


def _empty() -> "schema.ModelT":
    model = schema.ModelT()
    model.version, model.subgraphs, model.operatorCodes, model.buffers = 3, [], [], [schema.BufferT()]
    return model


def _packed(model: "schema.ModelT") -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def sound_model() -> bytes:
    """The colour of the first pixel: (1, 16, 16, 3) to its three channels, uint8."""
    model = _empty()
    main = _Graph(model)
    main.graph.outputs = [main.first_values(main.image, 3)]
    return _packed(model)


def detector_model(**outputs: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> bytes:
    """A picture, (1, 16, 16, 3) uint8, and these outputs whatever it shows, in this order; names are the tensors'."""
    model = _empty()
    main = _Graph(model)
    main.graph.outputs = [main.copy_of(name, np.asarray(values, np.float32)) for name, values in outputs.items()]
    return _packed(model)


def crashing_model() -> bytes:
    """The same, beside an EQUAL of uint8 with a scale of 1, which aborts the runtimes."""
    model = _empty()
    main = _Graph(model)
    main.graph.outputs = [main.first_values(main.image, 3)]
    equal = main.tensor([1, 1, 1, 3], schema.TensorType.BOOL)
    main.operator(schema.BuiltinOperator.EQUAL, [main.graph.outputs[0]] * 2, [equal])
    return _packed(model)


def model_that_hangs_on(value: int | None) -> bytes:
    """The same, after a loop that never ends if the first channel of the first pixel is `value`; None for always."""
    model = _empty()
    main, goes_on, body = _Graph(model), _Graph(model), _Graph(model)
    looped = main.tensor([1, SIDE, SIDE, 3], schema.TensorType.UINT8)
    loop = main.operator(schema.BuiltinOperator.WHILE, [main.image], [looped])
    loop.builtinOptionsType, loop.builtinOptions = schema.BuiltinOptions.WhileOptions, schema.WhileOptionsT()
    loop.builtinOptions.condSubgraphIndex, loop.builtinOptions.bodySubgraphIndex = 1, 2
    main.graph.outputs = [main.first_values(looped, 3)]
    flat, first = goes_on.tensor([1], schema.TensorType.UINT8), goes_on.tensor([1], schema.TensorType.INT32)
    goes_on.operator(
        schema.BuiltinOperator.RESHAPE, [goes_on.first_values(goes_on.image, 1), goes_on.numbers([1])], [flat]
    )
    goes_on.operator(schema.BuiltinOperator.CAST, [flat], [first])  # EQUAL of uint8 aborts, see above
    answer = goes_on.tensor([1], schema.TensorType.BOOL)
    wanted = first if value is None else goes_on.numbers([value])
    goes_on.operator(schema.BuiltinOperator.EQUAL, [first, wanted], [answer])
    goes_on.graph.outputs = [answer]
    same = body.tensor([1, SIDE, SIDE, 3], schema.TensorType.UINT8)
    body.operator(schema.BuiltinOperator.RESHAPE, [body.image, body.numbers([1, SIDE, SIDE, 3])], [same])
    body.graph.outputs = [same]
    return _packed(model)


def greedy_model(gib: int) -> bytes:
    """The same, beside a tensor of so many GiB, filled at each inference."""
    model = _empty()
    main = _Graph(model)
    size = [gib * 4, 1 << 28]
    filled = main.tensor(size, schema.TensorType.UINT8)
    value = main.tensor([], schema.TensorType.UINT8, b"\x01")
    main.operator(schema.BuiltinOperator.FILL, [main.numbers(size), value], [filled])
    main.graph.outputs = [main.first_values(main.image, 3)]
    return _packed(model)


def picture(value: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """16x16, B, G, R; every channel of every pixel has this value."""
    return np.full((SIDE, SIDE, 3), value, np.uint8)


def bundle_of(model: bytes, out: Path) -> Bundle:
    """Write a bundle whose golden inputs the sound model passes, without running anything."""
    files = {"model.tflite": model, "labels.txt": "".join(f"{label}\n" for label in LABELS).encode()}
    cases = []
    for number, value in enumerate((10, 200)):
        data = cv2.imencode(".png", picture(value))[1].tobytes()
        case = GoldenCase(frame=f"f{number}.png", pixels=f"p{number}.png", output=(value,) * 3)
        files[case.frame] = files[case.pixels] = data
        cases.append(case)
    manifest = Manifest(
        schema=SCHEMA,
        name="colours",
        created="2026-11-28T00:00:00+00:00",
        origin=Origin(kind="imported", source="tiny_models", tool="tests"),
        model="model.tflite",
        labels="labels.txt",
        input=InputTensor(width=SIDE, height=SIDE, dtype="uint8", quantization=_NO_SCALE),
        preprocessing=Preprocessing(channel_order="rgb", resize="squash", mean=(0.0,) * 3, std=(1.0,) * 3),
        output=OutputTensor(classes=3, dtype="uint8", quantization=_NO_SCALE, activation="logits"),
        golden=Golden(
            pixel_tolerance=0, output_tolerance=0, measured_spread=0, measured_with="by hand", cases=tuple(cases)
        ),
        files=(),
    )
    made = seal(out, manifest, files)
    save(made)
    return made

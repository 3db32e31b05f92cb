"""Small classifiers for tests, written tensor by tensor: .tflite files of 2 kB with any ending, type and metadata."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import pytest


class _Schema:
    """The schema that LiteRT ships. What needs it is skipped if tflite-runtime alone is installed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(pytest.importorskip("ai_edge_litert.schema_py_generated"), name)


schema = _Schema()

COLOURS = ("red", "green", "blue")
_BYTES = {"INT8": np.int8, "UINT8": np.uint8, "INT32": np.int32, "FLOAT32": np.float32, "INT16": np.int16}


@dataclass
class _Writer:
    """A model under construction. Tensors and operators are named by their index."""

    model: Any = field(default_factory=lambda: schema.ModelT())
    graph: Any = field(default_factory=lambda: schema.SubGraphT())

    def __post_init__(self) -> None:
        self.model.version, self.model.description, self.model.subgraphs = 3, "made by a test", [self.graph]
        self.model.buffers, self.model.operatorCodes, self.model.metadata = [schema.BufferT()], [], []
        self.graph.tensors, self.graph.operators = [], []

    def buffer(self, data: bytes) -> int:
        made = schema.BufferT()
        made.data = np.frombuffer(data, np.uint8)
        self.model.buffers.append(made)
        return len(self.model.buffers) - 1

    def tensor(
        self,
        kind: str,
        shape: Sequence[int],
        quantization: tuple[float, int] | None,
        values: Any = None,
        signature: Sequence[int] | None = None,
    ) -> int:
        made = schema.TensorT()
        made.name, made.shape, made.type = f"t{len(self.graph.tensors)}", list(shape), getattr(schema.TensorType, kind)
        made.buffer = 0 if values is None else self.buffer(np.asarray(values, _BYTES[kind]).tobytes())
        if quantization is not None:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [quantization[0]], [quantization[1]]
        if signature is not None:
            made.shapeSignature = list(signature)
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def operator(self, name: str, inputs: Sequence[int], outputs: Sequence[int], **options: Any) -> None:
        code, made = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 2 if name == "FULLY_CONNECTED" else 1
        self.model.operatorCodes.append(code)
        made.opcodeIndex, made.inputs, made.outputs = (
            len(self.model.operatorCodes) - 1,
            list(inputs),
            list(outputs),
        )
        kind = options.pop("kind", None)
        if kind is not None:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            made.builtinOptions = getattr(schema, f"{kind}T")()
            for key, value in options.items():
                setattr(made.builtinOptions, key, value)
        self.graph.operators.append(made)

    def finish(self, given: int, result: int) -> bytes:
        self.graph.inputs, self.graph.outputs = [given], [result]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def classifier(
    *,
    scale: float = 1 / 127.5,
    zero_point: int = -1,
    side: int = 16,
    ending: Sequence[str] = ("SOFTMAX",),
    free: Sequence[int] = (),
    weight: int = 127,
    ends: tuple[str, str] = ("INT8", "INT8"),
    layers: str = "INT8",
    gate: str | None = None,
    metadata: bytes | None = None,
    packed: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return a model whose three outputs are the means of the input's three channels, followed by `ending`.

    scale, zero_point: of the input. Channels are logits of -20 to 20, as the middle of the input stands for 0.
    free: the dimensions of the input that are free.
    weight: 0 for a model that never learned.
    ends: types of input and output; FLOAT32 puts a QUANTIZE or a DEQUANTIZE there.
    layers: type of the results of its one layer; HYBRID for floats with int8 weights. Only INT8 runs.
    gate: an operator whose output the input is multiplied with, as in a swish.
    metadata, packed: the TFLite metadata, and the files of the appended ZIP.
    """
    w = _Writer()
    shape = (1, side, side, 3)
    signature = [-1 if place in free else size for place, size in enumerate(shape)]
    image = w.tensor("INT8", shape, (scale, zero_point), signature=None if ends[0] == "FLOAT32" else signature)
    given = image
    if ends[0] == "FLOAT32":
        given = w.tensor("FLOAT32", shape, None, signature=signature)
        w.operator("QUANTIZE", [given], [image])
    if gate is not None:
        opened, gated = w.tensor("INT8", shape, (1 / 256, -128)), w.tensor("INT8", shape, (scale, zero_point))
        w.operator(gate, [image], [opened], **({"kind": "SoftmaxOptions", "beta": 1.0} if gate == "SOFTMAX" else {}))
        w.operator("MUL", [image, opened], [gated], kind="MulOptions")
        image = gated
    means = w.tensor("INT8", (1, 3), (scale, zero_point))
    w.operator("MEAN", [image, w.tensor("INT32", (2,), None, [1, 2])], [means], kind="ReducerOptions", keepDims=False)
    wide = scale * 127.5
    weights = layers if layers == "FLOAT32" else "INT8"
    # The second scale is what a converter gives to numbers which are always 0.
    kernel_scale = 20 / wide / 127 if weight else 7.8e-9
    kernel = w.tensor(weights, (3, 3), (kernel_scale, 0), np.eye(3) * weight)
    kind = {"HYBRID": "FLOAT32"}.get(layers, layers)
    logits = w.tensor(kind, (1, 3), (0.16 if weight else 7.8e-9, 0))
    bias = w.tensor("INT32", (3,), (scale * kernel_scale, 0), np.zeros(3))
    w.operator("FULLY_CONNECTED", [means, kernel, bias], [logits], kind="FullyConnectedOptions")
    result = logits
    for name in ending:
        before, result = result, w.tensor("INT8", (1, 3), _quantization_after(name))
        inputs = [before, w.tensor("INT8", (1,), (0.01, 0), [50])] if name in ("MUL", "ADD") else [before]
        if name == "RESHAPE":
            inputs = [before, w.tensor("INT32", (2,), None, [1, 3])]
        kinds = {"SOFTMAX": "SoftmaxOptions", "MUL": "MulOptions", "ADD": "AddOptions"}
        w.operator(name, inputs, [result], kind=kinds.get(name), **({"beta": 1.0} if name == "SOFTMAX" else {}))
    if ends[1] == "FLOAT32":
        before, result = result, w.tensor("FLOAT32", (1, 3), None)
        w.operator("DEQUANTIZE", [before], [result])
    if metadata is not None:
        entry = schema.MetadataT()
        entry.name, entry.buffer = "TFLITE_METADATA", w.buffer(metadata)
        w.model.metadata.append(entry)
    return w.finish(given, result) + (b"" if packed is None else archive(packed))


def _quantization_after(name: str) -> tuple[float, int]:
    return (1 / 256, -128) if name in ("SOFTMAX", "LOGISTIC", "RESHAPE", "MUL") else (0.16, 0)


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return a ZIP of `files`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return buffer.getvalue()


def metadata(
    *,
    mean: Sequence[float] | None = (127.5,),
    std: Sequence[float] | None = (127.5,),
    colours: int = 1,
    label_files: Sequence[tuple[str, str]] = (),
    file_type: int = 2,
) -> bytes:
    """Return TFLite metadata.

    mean, std: of the normalization; None for none.
    colours: 0 for unknown, 1 for RGB, 2 for grey.
    label_files: name and locale of each file that belongs to the output.
    file_type: of these files; 2 stands for labels of an axis.
    """
    b = flatbuffers.Builder(512)

    def table(*fields: tuple[int, str, Any]) -> int:
        b.StartObject(1 + max((slot for slot, _, _ in fields), default=0))
        for slot, kind, value in fields:
            if kind == "byte":
                b.PrependUint8Slot(slot, value, 0)
            else:
                b.PrependUOffsetTRelativeSlot(slot, value, 0)
        return int(b.EndObject())

    def tables(made: Sequence[int]) -> int:
        b.StartVector(4, len(made), 4)
        for entry in reversed(made):
            b.PrependUOffsetTRelative(entry)
        return int(b.EndVector())

    def floats(values: Sequence[float]) -> int:
        return int(b.CreateNumpyVector(np.asarray(values, np.float32)))

    content = table((0, "byte", 2), (1, "table", table((0, "byte", colours))))
    units = []
    if mean is not None and std is not None:
        options = table((0, "table", floats(mean)), (1, "table", floats(std)))
        units = [table((0, "byte", 1), (1, "table", options))]
    given = table((3, "table", content), (4, "table", tables(units)))
    files = []
    for name, locale in label_files:
        texts = b.CreateString(name), b.CreateString(locale)
        files.append(table((0, "table", texts[0]), (2, "byte", file_type), (3, "table", texts[1])))
    result = table((6, "table", tables(files)))
    subgraph = table((2, "table", tables([given])), (3, "table", tables([result])))
    b.Finish(table((3, "table", tables([subgraph]))), b"M001")
    return bytes(b.Output())

"""Read a .tflite file's graph into plain records: operators, their options, tensors. No runtime is needed.

The file may be damaged or hostile. The flatbuffers classes check every offset, but a vector may claim 2^32 entries,
and many tables may point at one long vector. Therefore lengths are compared with the file before the entries are
read, and the total that is read is bounded. Every vector, text and constant must be entirely inside the file, even if
it is not read: a file that was cut short is refused.
"""

import struct
from functools import cache
from typing import Any

import msgspec
import numpy as np

from edge.errors import INSTALL_DEVICE, MissingPackageError, ModelError

EDGETPU_OPERATOR = "edgetpu-custom-op"
# EfficientDet-Lite3 has some 700 operators and 1,500 tensors; the largest language models some 10,000.
MAX_ENTRIES = 50_000
MAX_WORK = 1_000_000  # in the whole file, counted in tensor references, dimensions and names per 16 bytes
MAX_VALUES = 64  # of a constant whose values are kept: axes, paddings, strides
_ZIP_BEGIN, _ZIP_END, _ZIP_END_BYTES = b"PK\x03\x04", b"PK\x05\x06", 22

_ACTIVATIONS = {0: None, 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH", 5: "SIGN_BIT"}
_OPTIONS = {  # the operators whose options matter here, and the table that holds them
    "ADD": "AddOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "PACK": "PackOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
}


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """One tensor.

    shape: as stored.
    signature: the shape with -1 for each free size; empty if the file has none.
    scales: how many scales there are, along `axis`; 0 if the tensor is not quantized.
    scale, zero_point: of the first channel.
    constant: whether the file holds its data.
    variable: whether it keeps state between inferences.
    size: bytes of its constant data.
    values: of a constant of at most 64 int32 or int64, otherwise empty.
    all_zero: whether it is a constant of int8 or uint8, at most 64 KiB, that is zero throughout.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    signature: tuple[int, ...] = ()
    scales: int = 0
    scale: float = 0.0
    zero_point: int = 0
    axis: int = 0
    constant: bool = False
    variable: bool = False
    size: int = 0
    values: tuple[int, ...] = ()
    all_zero: bool = False

    @property
    def static(self) -> bool:
        """Whether every dimension has a fixed size."""
        return all(side >= 0 for side in (*self.shape, *self.signature))


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of an operator that decide whether the Edge TPU takes it."""

    activation: str | None = None
    dilation: tuple[int, int] = (1, 1)
    axis: int | None = None
    weights_format: int = 0
    keep_num_dims: bool = False
    align_corners: bool = False
    half_pixel_centers: bool = False
    ellipsis_mask: int = 0
    new_axis_mask: int = 0


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """One operator.

    inputs, outputs: indices of tensors, -1 for one that is left out.
    custom: the name of a custom operator, otherwise None.
    """

    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    custom: str | None = None
    options: Options = Options()

    @property
    def on_edgetpu(self) -> bool:
        """Whether this is the operator with which the compiler replaces all that it maps."""
        return self.custom == EDGETPU_OPERATOR

    @property
    def title(self) -> str:
        """The name; for a custom operator, 'CUSTOM' and its own name."""
        return self.name if self.custom is None else f"{self.name} {self.custom}"


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """The main subgraph of a model.

    operators: in order of execution.
    tensors: all tensors of the subgraph.
    inputs, outputs: indices of tensors.
    subgraphs: how many the file holds; the others belong to IF and WHILE.
    """

    operators: tuple[Operator, ...]
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    subgraphs: int = 1

    @property
    def compiled(self) -> bool:
        """Whether the Edge TPU compiler has mapped something."""
        return any(operator.on_edgetpu for operator in self.operators)

    def present(self, numbers: tuple[int, ...]) -> list[Tensor]:
        """Return the tensors with these indices, without those that are left out (-1)."""
        return [self.tensors[number] for number in numbers if number >= 0]


def read_graph(model: bytes) -> Graph:
    """Read the graph of a .tflite file.

    Raises ModelError if the bytes are not a complete TFLite model, MissingPackageError without ai-edge-litert."""
    if len(model) < 8 or model[4:8] != b"TFL3":
        raise ModelError("not a TFLite model (no TFL3 mark): give the .tflite file")
    try:
        return _Reader(model).graph()
    except (struct.error, IndexError, TypeError, ValueError, OverflowError, AttributeError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"damaged .tflite: its tables do not fit together ({error}); copy it again") from error


def _schema() -> Any:
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise MissingPackageError(
            f"reading a model's operators needs ai-edge-litert (64-bit only): {INSTALL_DEVICE}"
        ) from error
    return schema_py_generated


def _names(enumeration: Any) -> dict[int, str]:
    return {number: name for name, number in vars(enumeration).items() if not name.startswith("_")}


@cache
def _vectors(kind: type) -> tuple[str, ...]:
    """Return the names of the methods of a schema class that return a vector of numbers."""
    return tuple(name for name in vars(kind) if name.endswith("AsNumpy"))


class _Reader:
    """A reader of one file. Not for use by several threads."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._schema = _schema()
        self._model = self._schema.Model.GetRootAsModel(data, 0)
        self._types = _names(self._schema.TensorType)
        self._operators = _names(self._schema.BuiltinOperator)
        self._kinds = _names(self._schema.BuiltinOptions)
        self._work = MAX_WORK
        self._start = np.frombuffer(data, np.uint8).ctypes.data
        self._end = 0  # of all vectors, texts and constants that were checked
        self._buffers = self._count(self._model.BuffersLength(), "buffers")

    def graph(self) -> Graph:
        subgraphs = self._count(self._model.SubgraphsLength(), "subgraphs")
        if not subgraphs:
            raise ModelError("damaged .tflite: it holds no graph; copy it again")
        codes = [
            self._code(self._model.OperatorCodes(number))
            for number in range(self._count(self._model.OperatorCodesLength(), "operator codes"))
        ]
        main = self._model.Subgraphs(0)
        self._whole(main)
        tensors = tuple(self._tensor(main.Tensors(n)) for n in range(self._count(main.TensorsLength(), "tensors")))
        operators = tuple(
            self._operator(main.Operators(n), codes, len(tensors))
            for n in range(self._count(main.OperatorsLength(), "operators"))
        )
        self._rest(subgraphs)
        return Graph(
            operators=operators,
            tensors=tensors,
            inputs=self._references(main.InputsLength(), main.InputsAsNumpy, len(tensors)),
            outputs=self._references(main.OutputsLength(), main.OutputsAsNumpy, len(tensors)),
            subgraphs=subgraphs,
        )

    def _count(self, count: int, what: str) -> int:
        """Return `count`, the length of a vector of tables, after checking it: an entry takes at least four bytes."""
        if count > MAX_ENTRIES or 4 * count > len(self._data):
            raise ModelError(f"damaged .tflite: it claims {count} {what}, at most {MAX_ENTRIES}; copy it again")
        self._spend(count)
        return int(count)

    def _rest(self, subgraphs: int) -> None:
        """Check that the parts of the file that become no record are complete, too."""
        for number in range(self._buffers):
            self._whole(buffer := self._model.Buffers(number))
            self._inside(buffer.Offset(), buffer.Size())
        for number in range(1, subgraphs):
            self._whole(graph := self._model.Subgraphs(number))
            for place in range(self._count(graph.TensorsLength(), "tensors")):
                self._whole(graph.Tensors(place))
            for place in range(self._count(graph.OperatorsLength(), "operators")):
                self._whole(graph.Operators(place))
        self._text(self._model, 10)
        for number in range(self._count(self._model.MetadataLength(), "metadata")):
            self._text(self._model.Metadata(number), 4)
        begin = self._data.find(_ZIP_BEGIN, self._end)  # a ZIP archive with labels and the like, after the tables
        if begin >= 0 and not begin < self._data.rfind(_ZIP_END) <= len(self._data) - _ZIP_END_BYTES:
            raise ModelError("damaged .tflite: the files that are packed at its end are cut short; copy it again")

    def _whole(self, table: Any) -> None:
        """Raise ValueError if one of the table's vectors of numbers exceeds the file. Nothing is copied."""
        kind: Any = type(table)
        for name in _vectors(kind):
            vector = getattr(table, name)()
            if not isinstance(vector, int):  # 0 stands for no vector
                self._end = max(self._end, vector.ctypes.data - self._start + vector.nbytes)

    def _inside(self, start: int, length: int) -> None:
        if start + length > len(self._data):
            raise ModelError(
                f"damaged .tflite: {length} bytes at {start} of a file of {len(self._data)}: it is cut short; "
                "copy it again"
            )
        self._end = max(self._end, start + length)

    def _spend(self, amount: int) -> None:
        self._work -= amount
        if self._work < 0:
            raise ModelError(f"damaged .tflite: more than {MAX_WORK} entries in its lists; copy it again")

    def _numbers(self, count: int, read: Any) -> tuple[int, ...]:
        """Return a vector of integers; empty if the file has none."""
        if not count:
            return ()
        self._spend(count)
        return tuple(read().tolist())

    def _references(self, count: int, read: Any, tensors: int) -> tuple[int, ...]:
        numbers = self._numbers(count, read)
        for number in numbers:
            if not -1 <= number < tensors:
                raise ModelError(f"damaged .tflite: tensor {number} of {tensors} is used; copy it again")
        return numbers

    def _code(self, code: Any) -> tuple[str, int, str | None]:
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = self._operators.get(number, f"BUILTIN_{number}")
        custom = self._text(code, 6) if name == "CUSTOM" else None
        return name, int(code.Version()), custom

    def _text(self, table: Any, slot: int) -> str:
        """Return the text in this slot of the table. Raises ModelError if it exceeds the file."""
        # The schema's own methods would shorten such a text without an error.
        offset = table._tab.Offset(slot)
        if not offset:
            return ""
        start, length = table._tab.Vector(offset), table._tab.VectorLen(offset)
        self._spend(1 + length // 16)
        self._inside(start, length + 1)  # a zero ends it
        text = self._data[start : start + length]
        return "".join(c if c.isprintable() else "?" for c in text.decode("utf-8", "replace"))

    def _tensor(self, tensor: Any) -> Tensor:
        quantization = tensor.Quantization()
        for table in (tensor, quantization, tensor.Sparsity()):
            if table is not None:
                self._whole(table)
        scales = 0 if quantization is None else int(quantization.ScaleLength())
        zero_points = 0 if quantization is None else int(quantization.ZeroPointLength())
        dtype = self._types.get(tensor.Type(), f"TYPE_{tensor.Type()}")
        zero_point = int(quantization.ZeroPoint(0)) if zero_points else 0
        size, content = self._content(tensor.Buffer())
        return Tensor(
            name=self._text(tensor, 10),
            dtype=dtype,
            shape=self._numbers(tensor.ShapeLength(), tensor.ShapeAsNumpy),
            signature=self._numbers(tensor.ShapeSignatureLength(), tensor.ShapeSignatureAsNumpy),
            scales=scales,
            scale=float(quantization.Scale(0)) if scales else 0.0,
            zero_point=zero_point,
            axis=int(quantization.QuantizedDimension()) if scales else 0,
            constant=size > 0,
            variable=bool(tensor.IsVariable()),
            size=size,
            values=_integers(content, dtype),
            all_zero=bool(content) and dtype in ("INT8", "UINT8") and content.count(zero_point & 0xFF) == size,
        )

    def _content(self, number: int) -> tuple[int, bytes]:
        """Return the size of a constant in bytes, and its bytes if they are few enough to examine (64 KiB)."""
        if not self._buffers and not number:
            return 0, b""
        if number >= self._buffers:
            raise ModelError(f"damaged .tflite: buffer {number} of {self._buffers} is used; copy it again")
        buffer = self._model.Buffers(number)
        if not buffer.DataLength():
            return int(buffer.Size()), b""  # models of over 2 GB keep it after the tables
        content = buffer.DataAsNumpy()  # raises ValueError if it exceeds the file
        if content.size > 64 * 1024:
            return content.size, b""
        self._spend(1 + content.size // 1024)
        return content.size, content.tobytes()

    def _operator(self, operator: Any, codes: list[tuple[str, int, str | None]], tensors: int) -> Operator:
        number = operator.OpcodeIndex()
        if number >= len(codes):
            raise ModelError(f"damaged .tflite: operator code {number} of {len(codes)} is used; copy it again")
        name, version, custom = codes[number]
        self._whole(operator)
        self._inside(operator.LargeCustomOptionsOffset(), operator.LargeCustomOptionsSize())
        return Operator(
            name=name,
            version=version,
            custom=custom,
            inputs=self._references(operator.InputsLength(), operator.InputsAsNumpy, tensors),
            outputs=self._references(operator.OutputsLength(), operator.OutputsAsNumpy, tensors),
            options=self._options(name, operator),
        )

    def _options(self, name: str, operator: Any) -> Options:
        kind, table = self._kinds.get(operator.BuiltinOptionsType()), operator.BuiltinOptions()
        if kind is None or kind == "NONE" or table is None:
            return Options()
        found = getattr(self._schema, kind)()
        found.Init(table.Bytes, table.Pos)
        self._whole(found)
        return _read_options(found) if kind == _OPTIONS.get(name) else Options()


def _read_options(found: Any) -> Options:
    """Read the fields that this kind of options has; the others keep their defaults."""

    def field(name: str, *, default: Any = 0) -> Any:
        return getattr(found, name)() if hasattr(found, name) else default

    activation = field("FusedActivationFunction")
    return Options(
        activation=_ACTIVATIONS.get(activation, f"activation {activation}"),
        dilation=(int(field("DilationHFactor", default=1)), int(field("DilationWFactor", default=1))),
        axis=field("Axis", default=None),
        weights_format=int(field("WeightsFormat")),
        keep_num_dims=bool(field("KeepNumDims")),
        align_corners=bool(field("AlignCorners")),
        half_pixel_centers=bool(field("HalfPixelCenters")),
        ellipsis_mask=int(field("EllipsisMask")),
        new_axis_mask=int(field("NewAxisMask")),
    )


def _integers(content: bytes, dtype: str) -> tuple[int, ...]:
    """Return the values of a short constant of int32 or int64, which the format stores little-endian."""
    width, code = {"INT32": (4, "i"), "INT64": (8, "q")}.get(dtype, (1, ""))
    if not code or not content or len(content) % width or len(content) > width * MAX_VALUES:
        return ()
    return struct.unpack(f"<{len(content) // width}{code}", content)

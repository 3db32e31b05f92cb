"""Read the TFLite metadata that some tools embed in a .tflite: normalization, colours, labels.

The metadata is a flatbuffer (identifier M001) in the model's buffer TFLITE_METADATA; label files are appended to the
.tflite as a ZIP. Field numbers are those of TensorFlow's metadata_schema.fbs and schema.fbs.
"""

import io
import struct
import zipfile
from dataclasses import dataclass

from edge.bundle.manifest import Activation
from edge.errors import INSTALL_DEVICE, MissingPackageError, ModelError

MAX_LABEL_BYTES = 16 * 1024 * 1024
_RGB = 1
_IMAGE_PROPERTIES = 2
_NORMALIZATION = 1
_SOFTMAX, _LOGISTIC, _CUSTOM = 25, 14, 32  # tflite.BuiltinOperator


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What was found in a file; None for what it does not hold.

    - mean, std: of the normalization, one number or one for each channel.
    - colour: the channel order.
    - labels: the bytes of the embedded labels file.
    - activation: what the outputs are.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    colour: str | None = None
    labels: bytes | None = None
    activation: Activation | None = None


def read_metadata(model: bytes) -> ModelMetadata:
    """Read the embedded metadata of a .tflite. Raises ModelError if the bytes are not a TFLite flatbuffer."""
    if len(model) < 8 or model[4:8] != b"TFL3":
        raise ModelError("not a TFLite model (no TFL3 mark): give the .tflite file")
    labels = _embedded_labels(model)
    try:
        found = _input_metadata(model)
        activation = _output_activation(model)
    except (struct.error, IndexError, ValueError, TypeError, UnicodeDecodeError) as error:
        raise ModelError(f"damaged .tflite: its tables point outside the file ({error})") from error
    return ModelMetadata(found.mean, found.std, found.colour, labels, activation)


class _Node:
    """A flatbuffer table with field access by number."""

    # The Python flatbuffers checks bounds, so that damaged bytes raise an error and do not crash.
    def __init__(self, data: bytes, position: int) -> None:
        try:
            from flatbuffers.table import Table
        except ImportError as error:
            raise MissingPackageError(f"reading a .tflite's metadata needs flatbuffers: {INSTALL_DEVICE}") from error
        self.data, self.position = data, position
        self._table = Table(data, position)

    def _offset(self, field: int) -> int:
        return int(self._table.Offset(4 + 2 * field))

    def byte(self, field: int) -> int:
        offset = self._offset(field)
        return self.data[self.position + offset] if offset else 0

    def number(self, field: int) -> int:
        offset = self._offset(field)
        return int(struct.unpack_from("<I", self.data, self.position + offset)[0]) if offset else 0

    def child(self, field: int) -> "_Node | None":
        offset = self._offset(field)
        if not offset:
            return None
        return _Node(self.data, int(self._table.Indirect(self.position + offset)))

    def text(self, field: int) -> str:
        offset = self._offset(field)
        return bytes(self._table.String(self.position + offset)).decode() if offset else ""

    def nodes(self, field: int) -> "list[_Node]":
        start, count = self._vector(field)
        return [_Node(self.data, int(self._table.Indirect(start + 4 * i))) for i in range(count)]

    def floats(self, field: int) -> tuple[float, ...]:
        start, count = self._vector(field)
        return struct.unpack_from(f"<{count}f", self.data, start)

    def raw(self, field: int) -> bytes:
        start, count = self._vector(field)
        return self.data[start : start + count]

    def _vector(self, field: int) -> tuple[int, int]:
        offset = self._offset(field)
        if not offset:
            return 0, 0
        start, count = int(self._table.Vector(offset)), int(self._table.VectorLen(offset))
        if count > len(self.data):
            raise ValueError(f"a vector of {count} entries")
        return start, count


def _root(data: bytes) -> _Node:
    return _Node(data, int(struct.unpack_from("<I", data, 0)[0]))


def _input_metadata(model: bytes) -> ModelMetadata:
    root = _root(model)
    buffers = root.nodes(4)
    for entry in root.nodes(6):
        if entry.text(0) == "TFLITE_METADATA":
            return _first_input(buffers[entry.number(1)].raw(0))
    return ModelMetadata()


def _output_activation(model: bytes) -> Activation | None:
    """Return "probabilities" if a softmax or sigmoid is among the last four operators, else "logits".

    None if that cannot be seen: a compiled model is one custom operator.
    """
    root = _root(model)
    codes = [max(code.byte(0), code.number(3)) for code in root.nodes(1)]
    graphs = root.nodes(2)
    operators = [codes[operator.number(0)] for operator in graphs[0].nodes(3)] if graphs else []
    # RESHAPE, QUANTIZE or DEQUANTIZE may follow it.
    if any(code in (_SOFTMAX, _LOGISTIC) for code in operators[-4:]):
        return "probabilities"
    return "logits" if operators and operators[-1] != _CUSTOM else None


def _first_input(metadata: bytes) -> ModelMetadata:
    if metadata[4:8] != b"M001":
        return ModelMetadata()
    for subgraph in _root(metadata).nodes(3)[:1]:
        for tensor in subgraph.nodes(2)[:1]:
            return _tensor(tensor)
    return ModelMetadata()


def _tensor(tensor: _Node) -> ModelMetadata:
    mean = std = colour = None
    content = tensor.child(3)
    if content is not None and content.byte(0) == _IMAGE_PROPERTIES:
        properties = content.child(1)
        if properties is not None and properties.byte(0) == _RGB:
            colour = "rgb"
    for unit in tensor.nodes(4):
        options = unit.child(1)
        if unit.byte(0) == _NORMALIZATION and options is not None:
            mean, std = options.floats(0) or None, options.floats(1) or None
    return ModelMetadata(mean, std, colour)


def _embedded_labels(model: bytes) -> bytes | None:
    """Return the one .txt file of the appended ZIP; None if there is none, or more than one."""
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            texts = [e for e in archive.infolist() if e.filename.endswith(".txt")]
            if len(texts) != 1 or texts[0].file_size > MAX_LABEL_BYTES:
                return None
            return archive.read(texts[0])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
        return None  # most models have no ZIP behind them, and the labels can be given

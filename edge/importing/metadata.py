"""Read the TFLite metadata that some tools embed in a .tflite: normalization, colours, which file holds the labels.

The metadata is a flatbuffer (identifier M001) in the model's buffer TFLITE_METADATA. Field numbers are those of
TensorFlow's metadata_schema.fbs and schema.fbs.
"""

from dataclasses import dataclass

from edge.bundle.manifest import Channels
from edge.errors import ModelError
from edge.flatbuffer import DAMAGED, Node, root

_RGB = 1
_IMAGE_PROPERTIES = 2
_NORMALIZATION = 1
_LABEL_FILES = (2, 3)  # AssociatedFileType: TENSOR_AXIS_LABELS, TENSOR_VALUE_LABELS


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A packed file that the metadata names as labels of the output.

    locale: the language of its labels, such as "en"; empty for the classes' own names.
    """

    name: str
    locale: str


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What was found in a file.

    - mean, std: of the normalization, as many numbers as are there, of any value; None if there is no normalization.
    - channel_order: None if it is not there.
    - label_files: those of the output.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channel_order: Channels | None = None
    label_files: tuple[LabelFile, ...] = ()


def read_metadata(model: bytes) -> ModelMetadata:
    """Read the embedded metadata of a .tflite. Raises ModelError if the bytes are not a TFLite flatbuffer."""
    if len(model) < 8 or model[4:8] != b"TFL3":
        raise ModelError("not a TFLite model (no TFL3 mark): give the .tflite file")
    try:
        top = root(model)
        for entry in top.nodes(6):
            if entry.text(0) == "TFLITE_METADATA":
                return _read(top.nodes(4)[entry.number(1)].raw(0))
    except DAMAGED as error:
        raise ModelError(f"damaged .tflite: its tables do not fit together ({error})") from error
    return ModelMetadata()


def _read(metadata: bytes) -> ModelMetadata:
    if metadata[4:8] != b"M001":
        return ModelMetadata()
    for subgraph in root(metadata).nodes(3)[:1]:
        inputs, outputs = subgraph.nodes(2)[:1], subgraph.nodes(3)[:1]
        mean, std = _normalization(inputs[0]) if inputs else (None, None)
        return ModelMetadata(
            mean,
            std,
            _channel_order(inputs[0]) if inputs else None,
            _label_files(outputs[0]) if outputs else (),
        )
    return ModelMetadata()


def _normalization(tensor: Node) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    options = [unit.child(1) for unit in tensor.nodes(4) if unit.byte(0) == _NORMALIZATION]
    # Two in a row are none that a bundle can hold.
    if len(options) != 1 or options[0] is None:
        return None, None
    return options[0].floats(0), options[0].floats(1)


def _channel_order(tensor: Node) -> Channels | None:
    content = tensor.child(3)
    properties = content.child(1) if content is not None and content.byte(0) == _IMAGE_PROPERTIES else None
    return "rgb" if properties is not None and properties.byte(0) == _RGB else None


def _label_files(tensor: Node) -> tuple[LabelFile, ...]:
    files = [file for file in tensor.nodes(6) if file.byte(2) in _LABEL_FILES]
    return tuple(LabelFile(file.text(0), file.text(3)) for file in files)

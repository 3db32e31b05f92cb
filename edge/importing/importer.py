"""Wrap a classifier made elsewhere into a bundle: read what its file holds, ask the user for the rest."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from edge.bundle.manifest import (
    Activation,
    Channels,
    InputTensor,
    OutputTensor,
    Preprocessing,
    Quantization,
    Resize,
    TensorType,
    Triple,
)
from edge.bundle.store import Bundle, is_compiled, parse_labels
from edge.errors import BundleError, ConfigError, MissingInputError, ModelError
from edge.images import readable_name
from edge.importing.metadata import ModelMetadata, read_metadata
from edge.importing.model_trial import Probe, probe_model
from edge.inference import golden
from edge.inference.assembly import Parts, assemble
from edge.inference.runtime import RuntimeName, load_runtime
from edge.inference.tflite import TensorDetails
from edge.records import Pixels

MIN_CLASSES = 2
# Ranges in which networks are trained to see pixels, as (mean, std) for pixels of 0..255.
RANGES = {"-1..1": (127.5, 127.5), "0..1": (0.0, 255.0), "0..255": (0.0, 1.0)}


@dataclass(frozen=True, slots=True)
class Told:
    """What the user gave as options; None: look into the file, then ask the user."""

    labels: Path | None = None
    normalize: tuple[Triple, Triple] | None = None
    channel_order: Channels | None = None
    resize: Resize | None = None
    activation: Activation | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that the .tflite does not hold: the option that answers it, its choices, and an explanation."""

    option: str
    choices: tuple[str, ...]
    explanation: str


Ask = Callable[[Question], str]
NORMALIZE = Question(
    "--normalize",
    (*RANGES, "MEAN,STD"),
    "the range in which the network was trained to see pixels",
)
CHANNEL_ORDER = Question("--channel-order", get_args(Channels), "the order of the colour channels")
RESIZE = Question(
    "--resize",
    get_args(Resize),
    "how pictures of another shape were fitted in training: squeezed, cut to the middle, or with bars",
)
ACTIVATION = Question("--activation", get_args(Activation), "what the model's outputs are")


def import_model(
    path: Path,
    out: Path,
    told: Told,
    ask: Ask,
    *,
    runtime: RuntimeName = "auto",
    samples_bgr: Sequence[Pixels] = (),
) -> Bundle:
    """Seal a bundle, not yet written, of the classifier at `path`.

    Calls `ask` for what neither `told` nor the file holds. samples_bgr: pictures for the golden inputs; synthetic ones
    if empty. Raises MissingInputError, ModelError, BundleError.
    """
    model, metadata = _read(path)
    engine = load_runtime(runtime)
    tensors = _tensors(path, probe_model(path, runtime), metadata, told, ask)
    names = _names(path, told, metadata, tensors[1].classes)
    mean, std = _normalization(told, metadata, ask)
    parts = Parts(
        name=readable_name(path.stem),
        kind="imported",
        source=readable_name(path.name),
        model=model,
        labels=names,
        preprocessing=Preprocessing(
            channel_order=told.channel_order or cast("Channels | None", metadata.colour) or _channels(ask),
            resize=told.resize or cast("Resize", ask(RESIZE)),
            mean=mean,
            std=std,
        ),
        tensors=tensors,
    )
    return assemble(out, parts, engine, list(samples_bgr) or golden.synthetic_frames())


def _read(path: Path) -> tuple[bytes, ModelMetadata]:
    try:
        model = path.read_bytes()
    except OSError as error:
        raise MissingInputError(f"{path}: cannot read: {error.strerror or error}") from error
    if is_compiled(model):
        raise ModelError(
            f"{path}: compiled for the Edge TPU, which a CPU cannot run: import the uncompiled model, then add this "
            "one with `fieldfare bundle add-edgetpu`"
        )
    try:
        return model, read_metadata(model)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def _names(path: Path, told: Told, metadata: ModelMetadata, outputs: int) -> tuple[str, ...]:
    names = parse_labels(_labels(path, told, metadata))
    if len(names) != outputs:
        raise BundleError(
            f"{told.labels or path}: {len(names)} labels, but the model has {outputs} outputs: "
            "give the labels file that belongs to it, one label a line, in the order of the outputs"
        )
    return names


def parse_normalize(text: str) -> tuple[Triple, Triple]:
    """Parse '-1..1', '0..1', '0..255' or 'MEAN,STD' (one number each, or three and three).

    Returns (mean, std) for pixels of 0..255. Raises ValueError.
    """
    if text in RANGES:
        mean, std = RANGES[text]
        return (mean,) * 3, (std,) * 3
    numbers = [float(part) for part in text.split(",")]
    if len(numbers) == 2:
        numbers = [numbers[0]] * 3 + [numbers[1]] * 3
    if len(numbers) != 6 or not all(map(math.isfinite, numbers)) or any(value <= 0 for value in numbers[3:]):
        raise ValueError(f"{text!r}: must be {', '.join(RANGES)}, MEAN,STD or three means and three stds")
    return cast("Triple", tuple(numbers[:3])), cast("Triple", tuple(numbers[3:]))


def _channels(ask: Ask) -> Channels:
    return cast("Channels", ask(CHANNEL_ORDER))


def _normalization(told: Told, metadata: ModelMetadata, ask: Ask) -> tuple[Triple, Triple]:
    if told.normalize is not None:
        return told.normalize
    if metadata.mean is not None and metadata.std is not None:
        pair = _triple(metadata.mean), _triple(metadata.std)
        if pair[0] is not None and pair[1] is not None:
            return pair[0], pair[1]
    try:
        return parse_normalize(ask(NORMALIZE))
    except ValueError as error:
        raise ConfigError(f"--normalize {error}") from error


def _triple(values: tuple[float, ...]) -> Triple | None:
    if len(values) == 1:
        return (values[0],) * 3
    return values if len(values) == 3 else None


def _labels(path: Path, told: Told, metadata: ModelMetadata) -> bytes:
    if told.labels is None:
        if metadata.labels is None:
            raise BundleError(f"{path}: holds no labels: name the file with --labels")
        return metadata.labels
    try:
        return told.labels.read_bytes()
    except OSError as error:
        raise MissingInputError(f"labels {told.labels}: cannot read: {error.strerror or error}") from error


def _tensors(
    path: Path, probe: Probe, metadata: ModelMetadata, told: Told, ask: Ask
) -> tuple[InputTensor, OutputTensor]:
    if len(probe.inputs) != 1 or len(probe.outputs) != 1:
        raise ModelError(
            f"{path}: {len(probe.inputs)} inputs and {len(probe.outputs)} outputs: an image classifier has one of each"
        )
    given, result = probe.inputs[0], probe.outputs[0]
    _require_fixed(path, given)
    _require_quantized(path, "input", given)
    _require_quantized(path, "output", result)
    if len(given.shape) != 4 or given.shape[0] != 1 or given.shape[3] != 3:
        raise ModelError(f"{path}: input shape {given.shape}, must be (1, height, width, 3): batch 1, colour")
    _, height, width, _ = given.shape
    if not (16 <= height <= 4096 and 16 <= width <= 4096):
        raise ModelError(f"{path}: input of {width}x{height} pixels, must be 16 to 4096 a side")
    classes = 1
    for size in result.shape:
        classes *= size
    if classes != result.shape[-1] or classes < MIN_CLASSES:
        raise ModelError(f"{path}: output shape {result.shape}, must be (1, classes) with 2 classes or more")
    return (
        InputTensor(
            width=width,
            height=height,
            dtype=cast("TensorType", given.dtype),
            quantization=Quantization(scale=given.scale, zero_point=given.zero_point),
        ),
        OutputTensor(
            classes=classes,
            dtype=cast("TensorType", result.dtype),
            quantization=Quantization(scale=result.scale, zero_point=result.zero_point),
            activation=told.activation or metadata.activation or cast("Activation", ask(ACTIVATION)),
        ),
    )


def _require_fixed(path: Path, tensor: TensorDetails) -> None:
    if any(size < 1 for size in tensor.signature):
        raise ModelError(f"{path}: input shape {tensor.signature} is dynamic: convert it again with a fixed batch of 1")


def _require_quantized(path: Path, which: str, tensor: TensorDetails) -> None:
    if tensor.dtype not in ("int8", "uint8"):
        raise ModelError(
            f"{path}: {which} is {tensor.dtype}, must be int8 or uint8: quantize the model to full integer"
        )
    if tensor.scales != 1 or tensor.scale <= 0:
        raise ModelError(
            f"{path}: {which} has {tensor.scales} quantization scales, must be 1: quantize the model to full integer"
        )

"""Wrap a classifier made elsewhere into a bundle: read what its file holds, ask the user for the rest."""

import errno
import logging
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

import msgspec

from edge.bundle.files import MAX_BUNDLE_BYTES
from edge.bundle.labels import MAX_LABELS_BYTES
from edge.bundle.manifest import Activation, Channels, Preprocessing, Resize
from edge.bundle.store import Bundle, is_compiled
from edge.errors import BundleError, ConfigError, DataError, MissingInputError, ModelError
from edge.events.taxonomy import read_file, read_taxonomy
from edge.images import readable_name
from edge.importing.graph import read_graph
from edge.importing.labels import distinct, read_labels
from edge.importing.metadata import ModelMetadata, read_metadata
from edge.importing.model_trial import ModelTrial
from edge.importing.normalization import RANGES, Normalization, check_normalization, of_metadata, parse_normalize
from edge.importing.packed_labels import packed_labels
from edge.importing.tensors import input_tensor, number_of_classes, output_tensor
from edge.inference import golden
from edge.inference.assembly import Parts, join
from edge.inference.runtime import RuntimeName, load_runtime
from edge.records import Pixels
from edge.storage import read_bounded


@dataclass(frozen=True, slots=True)
class Told:
    """What the user gave as options; None: look into the file, then ask the user.

    crop_fraction, pad: for one way to resize each; None: the manifest's default.
    taxonomy: a CSV of what the labels stand for; None: the bundle gets none.
    """

    labels: Path | None = None
    normalize: Normalization | None = None
    channel_order: Channels | None = None
    resize: Resize | None = None
    activation: Activation | None = None
    crop_fraction: float | None = None
    pad: int | None = None
    taxonomy: Path | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that the .tflite does not hold: the option that answers it, its choices, and an explanation."""

    option: str
    choices: tuple[str, ...]
    explanation: str


Ask = Callable[[Question], str]
Warn = Callable[[str], None]
_log = logging.getLogger(__name__)
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


def _log_warning(text: str) -> None:
    _log.warning("%s", text)


def import_model(
    path: Path,
    out: Path,
    told: Told,
    ask: Ask,
    *,
    runtime: RuntimeName = "auto",
    samples_bgr: Sequence[Pixels] = (),
    warn: Warn = _log_warning,
) -> Bundle:
    """Seal a bundle, not yet written, of the classifier at `path`.

    Calls `ask` for what neither `told` nor the file holds, and `warn` for what may be wrong with the answers.
    samples_bgr: pictures for the golden inputs; synthetic ones if empty. The model runs in child processes only.
    Raises MissingInputError, ModelError, BundleError, ConfigError.
    """
    load_runtime(runtime)  # if there is none, that is not the model's fault
    name = readable_name(path)
    model = _read_model(path, name)
    taxonomy = None if told.taxonomy is None else read_file(told.taxonomy)
    trial = ModelTrial(model, runtime)
    with _naming(name):
        metadata, graph = read_metadata(model), read_graph(model)
        probe = trial.probe()
        tensor, classes = input_tensor(probe, graph.arithmetic), number_of_classes(probe)
        normalization = told.normalize or of_metadata(metadata)
    source, labels = _labels(name, told, model, metadata, classes)
    labels, remark = distinct(labels)
    if taxonomy is not None:
        _compare(taxonomy, readable_name(told.taxonomy), labels, warn)
    activation = _activation(name, told, graph.activation, ask, warn)
    preprocessing = _preprocessing(told, metadata, normalization, ask)
    with _naming(name):
        given = "of --normalize" if told.normalize or not normalization else "in its metadata"
        check_normalization(preprocessing, tensor, given, lambda text: warn(f"{name}: {text}"))
        checks, files = trial.record_golden(preprocessing, tensor, samples_bgr or golden.synthetic_frames())
    if remark:
        warn(f"{source}: {remark}")
    parts = Parts(
        name=readable_name(path.stem),
        kind="imported",
        source=readable_name(path.name),
        model=model,
        labels=labels,
        preprocessing=preprocessing,
        tensors=(tensor, output_tensor(probe, activation)),
        taxonomy=taxonomy,
    )
    return join(out, parts, checks, files)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Begin the messages of errors in bad data with the name of their file."""
    try:
        yield
    except DataError as error:
        raise type(error)(f"{name}: {error}") from error


def _read_model(path: Path, name: str) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size > MAX_BUNDLE_BYTES:
            raise ModelError(
                f"{name}: {status.st_size >> 20} MiB, at most {MAX_BUNDLE_BYTES >> 20}: too large for a bundle"
            )
        # Reading a folder raises a clearer error.
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise ModelError(f"{name}: not a plain file: give the .tflite file")
        model = path.read_bytes()
    except OSError as error:
        raise MissingInputError(f"{name}: cannot read: {error.strerror or error}") from error
    if is_compiled(model):
        raise ModelError(
            f"{name}: compiled for the Edge TPU, which a CPU cannot run: import the uncompiled model, then add this "
            "one with `fieldfare bundle add-edgetpu`"
        )
    return model


def _labels(name: str, told: Told, model: bytes, metadata: ModelMetadata, classes: int) -> tuple[str, tuple[str, ...]]:
    """Return the name of the labels' source for messages, and the labels as they stand there."""
    if told.labels is None:
        with _naming(name):
            packed = packed_labels(model, metadata.label_files)
            if packed is None:
                raise BundleError("holds no labels: name the file with --labels")
        source, data = f"{name}: {readable_name(packed[0])}", packed[1]
    else:
        source = readable_name(told.labels)
        data = _read_labels(told.labels, source)
    with _naming(source):
        return source, read_labels(data, classes)


def _compare(taxonomy: bytes, name: str, labels: Sequence[str], warn: Warn) -> None:
    for line in read_taxonomy(taxonomy, name).differences(labels):
        warn(f"{name}: {line}")


def _read_labels(path: Path, name: str) -> bytes:
    try:
        return read_bounded(path, MAX_LABELS_BYTES, pipe=True)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise BundleError(f"{name}: larger than {MAX_LABELS_BYTES} bytes: not a labels file") from error
        raise MissingInputError(f"labels {name}: cannot read: {error.strerror or error}") from error


def _preprocessing(told: Told, metadata: ModelMetadata, normalization: Normalization | None, ask: Ask) -> Preprocessing:
    mean, std = normalization or _asked_normalization(ask)
    channel_order = told.channel_order or metadata.channel_order or cast("Channels", ask(CHANNEL_ORDER))
    resize = told.resize or cast("Resize", ask(RESIZE))
    if told.crop_fraction is not None and resize != "crop":
        raise ConfigError(f"--crop-fraction {told.crop_fraction:g} needs --resize crop, not {resize}")
    if told.pad is not None and resize != "letterbox":
        raise ConfigError(f"--pad {told.pad} needs --resize letterbox, not {resize}")
    given = Preprocessing(channel_order=channel_order, resize=resize, mean=mean, std=std)
    if told.crop_fraction is not None:
        return msgspec.structs.replace(given, crop_fraction=told.crop_fraction)
    return given if told.pad is None else msgspec.structs.replace(given, pad=told.pad)


def _activation(name: str, told: Told, shown: Activation | None, ask: Ask, warn: Warn) -> Activation:
    """Return what the outputs are. shown: by the model's last operators, None if they do not show it."""
    activation = told.activation or shown or cast("Activation", ask(ACTIVATION))
    if shown not in (None, activation):
        warn(
            f"{name}: its last operators show {shown}, and --activation {activation} contradicts them: scores will be "
            "wrong"
        )
    return activation


def _asked_normalization(ask: Ask) -> Normalization:
    try:
        return parse_normalize(ask(NORMALIZE))
    except ValueError as error:
        raise ConfigError(f"--normalize {error}") from error

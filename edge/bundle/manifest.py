"""Describe a bundle in typed records, and convert them to the JSON of manifest.json and back, strictly.

How the format grows (docs/bundle.md explains it to people; the two change together):

1. A new key is optional: its default means what bundles meant that did not have it. `encode` leaves out every key
   that has its default, so a bundle that does not use the new key opens on older readers. The schema stays.
2. A key that changes what the old ones mean raises the schema: older readers must refuse such a bundle, as they would
   classify wrongly with it. Append to `_MIGRATIONS` what turns an older manifest into the new form.
3. Without 2, no required key is added, dropped, renamed or made optional, and no default changes.
"""

from collections import Counter
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from edge.bundle.cut import Cut
from edge.bundle.files import MAX_FILES, MAX_NAME, shortened
from edge.bundle.preparation import MAX_STEPS, check_steps
from edge.bundle.strict import Strict
from edge.errors import BundleError

Json = dict[str, Any]
# One step for each schema before the newest, oldest first: step N - 1 takes the JSON of schema N and returns that of
# schema N + 1. There is no way back: an older reader refuses a newer schema.
_MIGRATIONS: tuple[Callable[[Json], Json], ...] = ()
SCHEMA = 1 + len(_MIGRATIONS)

# Read before anything is parsed. Four golden answers and the biases of 100,000 classes are 7 MB, one number a line.
MAX_BYTES = 16 * 1024 * 1024
# All golden inputs together, in millions: as much as one photo may have, and four of the largest model's.
MAX_GOLDEN_MEGAPIXELS = 100
_MAX_INT = 2**63 - 1

# \Z, as $ would let a line break follow.
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*\Z", max_length=MAX_NAME)]
Side = Annotated[int, Meta(ge=16, le=4096)]
Positive = Annotated[float, Meta(gt=0)]
# Python's own whole numbers have no end, and overflow if they are divided or meet NumPy. A seed is only shown.
Whole = Annotated[int, Meta(ge=-_MAX_INT, le=_MAX_INT)]
Count = Annotated[int, Meta(ge=0, le=_MAX_INT)]
Some = Annotated[int, Meta(ge=1, le=_MAX_INT)]
# Every text of the manifest is shown on one line, and the name is part of a message between processes.
Text = Annotated[str, Meta(max_length=1000)]
Note = Annotated[str, Meta(max_length=10_000)]
Share = Annotated[float, Meta(ge=0, le=1)]
Bias = Annotated[float, Meta(ge=-100, le=100)]
Triple = tuple[float, float, float]
TensorType = Literal["int8", "uint8"]
Channels = Literal["rgb", "bgr"]
Resize = Literal["squash", "crop", "letterbox"]
Activation = Literal["logits", "probabilities"]


class FileEntry(Strict, frozen=True, kw_only=True):
    """A file beside the manifest."""

    name: FileName
    size: Count
    sha256: Sha256


class Quantization(Strict, frozen=True, kw_only=True):
    """real = (q - zero_point) * scale, one scale for the whole tensor."""

    scale: Positive
    zero_point: Annotated[int, Meta(ge=-128, le=255)]


class InputTensor(Strict, frozen=True, kw_only=True):
    """The model's input: shape (1, height, width, 3)."""

    width: Side
    height: Side
    dtype: TensorType
    quantization: Quantization


class OutputTensor(Strict, frozen=True, kw_only=True):
    """The model's output: shape (1, classes), or any shape with that many values."""

    classes: Annotated[int, Meta(ge=2, le=100_000)]
    dtype: TensorType
    quantization: Quantization
    activation: Activation


class Preprocessing(Strict, frozen=True, kw_only=True):
    """The way from a frame to the input tensor; edge.preprocess is its one implementation.

    - channel_order: of the tensor.
    - resize: squash takes the whole frame, crop the largest centred cut-out of the model's aspect ratio, letterbox
      the whole frame with bars.
    - crop_fraction: the share of that cut-out's sides which is used.
    - pad: the brightness of the bars.
    - mean, std: the network sees real = (pixel - mean) / std for each channel, in channel_order.
    - preparation: steps that change the fitted picture before that, but no bars; edge.bundle.preparation names them.

    The picture is halved with 2x2 means while both sides are at least twice the target, one side alone while that is
    at least three times, then brought to size with bit-exact bilinear interpolation.
    """

    channel_order: Channels
    resize: Resize
    crop_fraction: Annotated[float, Meta(gt=0, le=1)] = 1.0
    pad: Annotated[int, Meta(ge=0, le=255)] = 127
    mean: Triple
    std: tuple[Positive, Positive, Positive]
    # Not a Literal: a step of a later version is no mistake of the bundle, and needs other words.
    preparation: Annotated[tuple[Text, ...], Meta(max_length=MAX_STEPS)] = ()


class Calibration(Strict, frozen=True, kw_only=True):
    """The way from outputs to scores: softmax(logits / temperature + bias).

    - bias: one number a class, None for zeros.
    - threshold: a best score under it is reported as unknown.
    - thresholds: one number a class in its place, None if it holds for all.
    - promised_precision: the share of right answers above the threshold, as shown by validation photos.
    - method: how these were found.
    """

    temperature: Positive = 1.0
    bias: tuple[Bias, ...] | None = None
    threshold: Share = 0.0
    thresholds: tuple[Share, ...] | None = None
    promised_precision: Share | None = None
    method: Text = "none"


class Metrics(Strict, frozen=True, kw_only=True):
    """Figures measured through the device's own pre- and postprocessing, and on which photos.

    calibration_error: expected difference between score and share right, in 15 bins.
    """

    split: Text
    photos: Some
    top1_float: Share | None = None
    top1_int8: Share | None = None
    validation_top1_float: Share | None = None
    validation_photos: Some | None = None
    calibration_error: Share | None = None


class GoldenCase(Strict, frozen=True, kw_only=True):
    """A picture with a known answer.

    - frame: a PNG as a camera would deliver it.
    - pixels: what the resize must make of it, a PNG in the tensor's channel order, stored as R, G, B.
    - output: the raw output tensor.
    """

    frame: FileName
    pixels: FileName
    output: tuple[Annotated[int, Meta(ge=-128, le=255)], ...]


class Golden(Strict, frozen=True, kw_only=True):
    """Inputs with known answers. Tolerances in steps of the tensor's own quantization."""

    pixel_tolerance: Annotated[int, Meta(ge=0, le=8)]
    output_tolerance: Annotated[int, Meta(ge=0, le=128)]
    measured_spread: Annotated[int, Meta(ge=0, le=255)]
    measured_with: Text
    cases: Annotated[tuple[GoldenCase, ...], Meta(min_length=1, max_length=MAX_FILES)]


class EdgeTpu(Strict, frozen=True, kw_only=True):
    """The model compiled for the Edge TPU, with figures from the compiler's log; None if there was no log.

    operators_on_cpu is always known: they are left over in the compiled model itself. on_chip_bytes and off_chip_bytes
    are read from it, too; older bundles have them from the log, or None.
    """

    model: FileName
    log: FileName | None = None
    compiler_version: Text | None = None
    operators_on_tpu: Some | None = None
    operators_on_cpu: Count
    on_chip_bytes: Count | None = None
    off_chip_bytes: Count | None = None


class Architecture(Strict, frozen=True, kw_only=True):
    """The network behind the model, if Fieldfare trained it."""

    family: Text
    alpha: Positive
    weights: Text
    weights_sha256: Sha256 | None = None
    seed: int


class Origin(Strict, frozen=True, kw_only=True):
    """Who made the bundle, and from what."""

    kind: Literal["trained", "imported"]
    source: Text
    tool: Text
    notes: Annotated[tuple[Note, ...], Meta(max_length=1000)] = ()


class Manifest(Strict, frozen=True, kw_only=True):
    """The whole contract between the trainer and the device.

    taxonomy: a CSV of what the labels stand for, which edge.events.taxonomy reads; None: there is none.
    cut: how the photos were cut; None: they were taken as they were.
    """

    schema: Whole
    name: Text
    created: Text
    origin: Origin
    architecture: Architecture | None = None
    model: FileName
    labels: FileName
    input: InputTensor
    preprocessing: Preprocessing
    output: OutputTensor
    calibration: Calibration = Calibration()
    metrics: Metrics | None = None
    golden: Golden
    edgetpu: EdgeTpu | None = None
    taxonomy: FileName | None = None
    cut: Cut | None = None
    files: Annotated[tuple[FileEntry, ...], Meta(min_length=1, max_length=MAX_FILES)]


class _SchemaOnly(msgspec.Struct):
    schema: Whole


def decode(data: bytes) -> Manifest:
    """Decode the bytes of manifest.json, of this schema or an older one.

    Raises BundleError: too long, not JSON, an unknown schema, an unknown key, a value out of range, a name that is
    listed twice, or used but not listed.
    """
    if len(data) > MAX_BYTES:
        raise BundleError(f"manifest.json: {len(data)} bytes, at most {MAX_BYTES}: not a bundle")
    try:
        schema = msgspec.json.decode(data, type=_SchemaOnly).schema
        if not 1 <= schema <= SCHEMA:
            raise BundleError(
                f"manifest.json: schema {schema} is unknown; this version reads schema {_readable()}: "
                "update Fieldfare or make the bundle again"
            )
        if schema == SCHEMA:
            manifest = msgspec.json.decode(data, type=Manifest)
        else:
            manifest = msgspec.convert(_migrated(msgspec.json.decode(data), schema), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # Only a newer Fieldfare writes keys that this one lacks.
        fix = "update Fieldfare or make" if "unknown field" in str(error) else "make"
        raise BundleError(f"manifest.json: {shortened(str(error))}; {fix} the bundle again") from error
    _check_references(manifest)
    check_steps(manifest.preprocessing.preparation)
    _check_ranges(manifest)
    return manifest


def encode(manifest: Manifest) -> bytes:
    """Encode as the bytes of manifest.json: indented, without keys that have their defaults, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(_without_defaults(manifest)), indent=1) + b"\n"


def _without_defaults(record: Strict) -> Json:
    # Not msgspec's omit_defaults: for numbers and texts that compares identity, so a 1.0 that was computed or decoded
    # would be written and the 1.0 of the class would not. Equal manifests must give equal bytes, and so equal ids.
    kept = {}
    for field in msgspec.structs.fields(record):
        value = getattr(record, field.name)
        if value != field.default:
            kept[field.encode_name] = _plain(value)
    return kept


def _plain(value: Any) -> Any:
    if isinstance(value, Strict):
        return _without_defaults(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _readable() -> str:
    return "1" if SCHEMA == 1 else f"1 to {SCHEMA}"


def _migrated(raw: Json, schema: Whole) -> Json:
    for step in _MIGRATIONS[schema - 1 :]:
        raw = step(raw)
    return raw


def referenced_files(manifest: Manifest) -> list[str]:
    """List the names that the manifest's parts refer to."""
    names = [manifest.model, manifest.labels]
    names += [name for case in manifest.golden.cases for name in (case.frame, case.pixels)]
    if manifest.edgetpu is not None:
        names += [name for name in (manifest.edgetpu.model, manifest.edgetpu.log) if name is not None]
    if manifest.taxonomy is not None:
        names.append(manifest.taxonomy)
    return names


def _check_references(manifest: Manifest) -> None:
    listed = Counter(entry.name for entry in manifest.files)
    for name, times in listed.items():
        if times > 1 or name in ("manifest.json", "manifest.sha256"):
            raise BundleError(f"manifest.json: file {name!r} may not be listed, or only once")
    referred = set(referenced_files(manifest))
    for name in sorted(referred - set(listed)):
        raise BundleError(f"manifest.json: {name!r} is used but not in the list of files")
    for name in sorted(set(listed) - referred):
        raise BundleError(f"manifest.json: file {name!r} is listed but nothing uses it")


def _check_ranges(manifest: Manifest) -> None:
    for title, dtype, zero_point in (
        ("input", manifest.input.dtype, manifest.input.quantization.zero_point),
        ("output", manifest.output.dtype, manifest.output.quantization.zero_point),
    ):
        info = np.iinfo(dtype)
        if not info.min <= zero_point <= info.max:
            raise BundleError(
                f"manifest.json: {title} zero point {zero_point} is outside {dtype}'s {info.min}..{info.max}"
            )
    calibration, classes = manifest.calibration, manifest.output.classes
    for name, values in (("bias", calibration.bias), ("thresholds", calibration.thresholds)):
        if values is not None and len(values) != classes:
            raise BundleError(
                f"manifest.json: calibration.{name} has {len(values)} numbers, the model {classes} classes"
            )
    pixels = len(manifest.golden.cases) * manifest.input.width * manifest.input.height
    if pixels > MAX_GOLDEN_MEGAPIXELS * 1_000_000:
        raise BundleError(
            f"manifest.json: {len(manifest.golden.cases)} golden inputs of {manifest.input.width}x"
            f"{manifest.input.height} are {pixels / 1e6:.0f} megapixels, at most {MAX_GOLDEN_MEGAPIXELS}"
        )
    for case in manifest.golden.cases:
        if len(case.output) != manifest.output.classes:
            raise BundleError(
                f"manifest.json: golden {case.frame} has {len(case.output)} outputs, "
                f"the model {manifest.output.classes}"
            )

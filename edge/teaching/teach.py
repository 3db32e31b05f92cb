"""Teach a bundle: from photos to a new bundle with another last layer, and the figures to judge it by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from edge import __version__
from edge.bundle.manifest import Calibration, OutputTensor, Quantization
from edge.bundle.store import Bundle
from edge.bundle.write import seal
from edge.embedding.source import BundleFeatures
from edge.errors import BundleError, DatasetError, ModelError
from edge.images import decode_image
from edge.inference import golden
from edge.inference.runtime import RuntimeName, load_runtime
from edge.inference.tflite import TfliteClassifier
from edge.preprocess import Preprocessor
from edge.printable import counted
from edge.records import Pixels
from edge.teaching.beside import TAUGHT_FROM, taught_from
from edge.teaching.calibrating import named_rightly, recalibrated
from edge.teaching.compiled import is_compiled_teachable, taught_compiled
from edge.teaching.fitting import Rows
from edge.teaching.judging import Judged, Material, fit_and_judge
from edge.teaching.last_layer import LastLayer, read_last_layer
from edge.teaching.photos import LEAST_OF_KNOWN, Photo, labels_with, thinned, without_few
from edge.teaching.remembering import Remembered, bare, chosen, recall, remember
from edge.teaching.rewriting import NewLayer, with_last_layer
from edge.teaching.seeing import Seen, check_enough, see, unlike, without_copies, without_small
from edge.teaching.verdict import Verdict, judge

_MARGIN = 0.1  # of the range of the outputs, for photos that lie further out
_MOST_NOTES = 1000
_NO_EDGETPU = "the new bundle has no model for the Edge TPU: it serves from the CPU"

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Taught:
    """What came of teaching. bundle: sealed, not written. verdict: whether it is better, and the figures."""

    bundle: Bundle
    verdict: Verdict


def teach(
    old: Bundle,
    out: Path,
    photos: Sequence[Photo],
    *,
    runtime: RuntimeName = "auto",
    threads: int = 1,
    most: int | None = None,
    leave_out_few: bool = False,
    note: Note = lambda _: None,
) -> Taught:
    """Fit a new last layer to `photos` and seal the new bundle for `out`. Deterministic for the same photos.

    most: how many photos to use at most, of all classes together. leave_out_few: whether new classes with too few
    photos are left out; else they raise. note: called with what the user should know.
    Runs the bundle's model in this process.
    Raises BundleError if its model cannot be taught, DatasetError if the photos do not serve, EngineError.
    """
    try:
        layer = read_last_layer(old.model)
        remembered = recall(old.model, layer.of_input, layer.classes, layer.weights.shape[1])
    except ModelError as error:
        raise BundleError(f"bundle {old.path}: {error}") from error
    if leave_out_few:
        photos = without_few(photos, old.labels, note)
    kept = is_compiled_teachable(old)
    if old.edgetpu_model is not None and not kept:
        note(f"{_NO_EDGETPU}; one compiled with --teachable could be kept")
    labels = labels_with(old.labels, photos)
    source = BundleFeatures(old, runtime=runtime, threads=threads)
    seen = without_copies(see(thinned(photos, old.labels, note, most), labels, source, note))
    source.close()
    if leave_out_few:
        seen, labels = without_small(seen, labels, len(old.labels), note)
    check_enough(seen, labels, len(old.labels), photos)
    material = _material(seen, remembered, len(old.labels), note)
    if taught_from(old) is not None:
        note(
            "the layer that is there learned from the remembered examples of what it was taught before: "
            "on new photos these classes may fare worse than shown"
        )
    _check_known(material, labels, note)
    calibration = old.manifest.calibration
    judged = fit_and_judge(material, _start(layer, calibration))
    logits = old.manifest.output.activation == "logits"
    new, named = recalibrated(calibration, judged.after, material.classes, material.known, logits=logits)
    named_before = named_rightly(judged.before, material.classes, np.array(old.thresholds))
    verdict = judge(judged, material, labels, named, named_before)
    models = _models(old, layer, _new_layer(old, layer, judged, material), note, compiled=kept)
    bundle = _seal(out, old, (models, labels, new), (material, seen), runtime, verdict)
    return Taught(bundle, verdict)


def _material(seen: Seen, remembered: Remembered | None, known: int, note: Note) -> Material:
    photos = Remembered.of(seen.features, seen.classes)
    if remembered is None:
        note("the bundle remembers no photos: its classes are held by those given alone")
        remembered = photos[np.empty(0, np.int64)]
    judged, learned = remembered[~remembered.learned], remembered[remembered.learned]
    if len(learned.classes) and not len(judged.classes):
        note(
            "the network learned from every photo that the bundle remembers: "
            "others of these classes may fare worse than shown"
        )
        judged, learned = learned, judged
    together = photos + unlike(judged, seen)
    return Material(known, together.features, together.classes, seen.turned, unlike(learned, seen))


def _check_known(material: Material, labels: Sequence[str], note: Note) -> None:
    """Raise DatasetError if there are too few examples of the classes that are there, or if rows were to move without
    any of some; note those without any."""
    known = material.classes[material.classes < material.known]
    if len(known) < LEAST_OF_KNOWN:
        raise DatasetError(
            f"{counted(len(known), 'example')} of the classes that the bundle knows, must be at least "
            f"{LEAST_OF_KNOWN}: what becomes of them could not be seen: add folders with photos of them, called like "
            "their labels, or train the bundle again with this version, which lets it remember some"
        )
    if missing := material.unjudged:
        without = counted(len(missing), "class", "classes")
        names = ", ".join(labels[number][:40] for number in missing[:5]) + (", ..." if len(missing) > 5 else "")
        if len(labels) == material.known:
            raise DatasetError(
                f"{without} without a photo or a remembered example ({names}): what a correction of the others takes "
                "from them could not be seen: add photos of them, or train the bundle again with this version, which "
                "lets it remember some"
            )
        note(f"{without} without a photo or a remembered example, not judged: {names}; the others are not corrected")


def _start(layer: LastLayer, calibration: Calibration) -> Rows:
    """Return the rows that are there in units of scores: softmax(logits / temperature + bias)."""
    bias = np.zeros(layer.classes) if calibration.bias is None else np.array(calibration.bias)
    return Rows(layer.weights / calibration.temperature, layer.bias / calibration.temperature + bias)


def _new_layer(old: Bundle, layer: LastLayer, judged: Judged, material: Material) -> NewLayer:
    """Return the fitted layer in units of the model."""
    calibration, rows = old.manifest.calibration, judged.rows
    bias = np.zeros(len(rows.bias))
    if calibration.bias is not None:
        bias[: layer.classes] = calibration.bias
    weights, biases = rows.weights * calibration.temperature, (rows.bias - bias) * calibration.temperature
    outputs = material.features @ weights.T + biases
    room = _MARGIN * float(np.ptp(outputs))
    return NewLayer(weights, biases, judged.changed, float(outputs.min()) - room, float(outputs.max()) + room)


def _models(old: Bundle, layer: LastLayer, new: NewLayer, note: Note, *, compiled: bool) -> tuple[bytes, bytes | None]:
    """Return the model with the fitted layer and, if `compiled`, the one for the Edge TPU with the same layer."""
    try:
        model = with_last_layer(bare(old.model), layer, new)
    except ModelError as error:
        raise BundleError(f"bundle {old.path}: {error}") from error
    if not compiled:
        return model, None
    try:
        return model, taught_compiled(old, new, model)
    except ModelError as error:
        note(f"{_NO_EDGETPU}: compiled model: {error}")
        return model, None


def _seal(
    out: Path,
    old: Bundle,
    made: tuple[tuple[bytes, bytes | None], tuple[str, ...], Calibration],
    taught: tuple[Material, Seen],
    runtime: RuntimeName,
    verdict: Verdict,
) -> Bundle:
    """Record golden inputs with the new model, and seal the bundle: all else as in the old one."""
    ((model, compiled), labels, calibration), (material, seen) = made, taught
    manifest = old.manifest
    loaded = load_runtime(runtime)
    layer = read_last_layer(model)
    preprocessor = Preprocessor(manifest.preprocessing, manifest.input)
    checks, files = golden.make(loaded, model, preprocessor, _frames(old, seen))
    model = remember(model, layer.of_input, _kept(material))
    named = {manifest.model: model, manifest.labels: "".join(f"{label}\n" for label in labels).encode()}
    notes = (*manifest.origin.notes[-(_MOST_NOTES - 1) :], _note(old, verdict))
    new = msgspec.structs.replace(
        manifest,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        origin=msgspec.structs.replace(manifest.origin, tool=f"fieldfare {__version__}", notes=notes),
        output=_output(manifest.output, TfliteClassifier(loaded, model), len(labels)),
        calibration=calibration,
        metrics=None,
        golden=checks,
        edgetpu=None if compiled is None else manifest.edgetpu,
        files=(),
    )
    return seal(out, new, {**files, **named, **_carried(old, compiled)})


def _carried(old: Bundle, compiled: bytes | None) -> dict[str, bytes]:
    """Return the files of the old bundle that the new one has, too: of the Edge TPU only with a compiled model."""
    found = {}
    if (taxonomy := old.manifest.taxonomy) is not None:
        found[taxonomy] = old.contents[taxonomy]
    edgetpu = old.manifest.edgetpu
    if edgetpu is not None and compiled is not None:
        found[edgetpu.model] = compiled
        if edgetpu.log is not None:
            found[edgetpu.log] = old.contents[edgetpu.log]
    return found


def _kept(material: Material) -> Remembered:
    judged = Remembered.of(material.features, material.classes)
    return judged[chosen(judged.classes)] + material.learned


def _output(old: OutputTensor, classifier: TfliteClassifier, classes: int) -> OutputTensor:
    found = classifier.outputs[0]
    quantization = Quantization(scale=found.scale, zero_point=found.zero_point)
    return msgspec.structs.replace(old, classes=classes, quantization=quantization)


def _frames(old: Bundle, seen: Seen) -> list[Pixels]:
    """Return the old bundle's golden pictures and some of the photos, as a camera hands them over."""
    cases = old.manifest.golden.cases[: golden.KEPT]
    return [decode_image(old.contents[case.frame], case.frame) for case in cases] + list(seen.frames_bgr)


def _note(old: Bundle, verdict: Verdict) -> str:
    classes = ", ".join(f"{row.label[:100]} ({row.photos})" for row in verdict.rows if row.photos)
    return f"{TAUGHT_FROM}{old.bundle_id}: photos of {classes}; {verdict.summary}"[:9000]

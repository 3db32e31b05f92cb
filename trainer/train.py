"""The trainer's main path: photos -> features -> head -> fine-tuning -> int8 -> figures -> bundle."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.bundle import golden
from edge.bundle.manifest import (
    Architecture,
    Calibration,
    InputTensor,
    Metrics,
    OutputTensor,
    Preprocessing,
    Quantization,
    Resize,
)
from edge.bundle.store import Bundle
from edge.bundle.write import check_target, save
from edge.errors import ModelError, OutputExistsError, UnavailableError
from edge.images import read_image, readable_name
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier
from edge.records import Pixels
from trainer.augment import Augmentation
from trainer.bundle_writer import tensors_of, write_bundle
from trainer.compile_edgetpu import Compiled, compile_model
from trainer.dataset import SPLITS, Listing, Split, assign_splits, list_photos
from trainer.duplicates import group_duplicates
from trainer.evaluate import fit_temperature, run_int8, top1
from trainer.fit import Recipe, fit
from trainer.head import STRENGTHS, train_head
from trainer.model import FIRST_TUNED, Network, add_head, build_backbone, fold_batch_norm, quicken_batch_norm
from trainer.photos import Photos, load_photos
from trainer.predict import Predictor
from trainer.progress import Progress
from trainer.quantize import choose_calibration, quantize
from trainer.quiet import load_tensorflow

FINE_TUNING_EPOCHS = 10
SCRATCH_EPOCHS = 40
FINE_TUNING_PEAK = 6e-4
SCRATCH_PEAK = 4e-3
GOLDEN_CANDIDATES = 12


@dataclass(frozen=True, slots=True)
class Options:
    """What `fieldfare train` was asked for. epochs None: 10 of fine-tuning, or 40 from scratch."""

    data: Path
    out: Path
    network: Network
    weights: str
    epochs: int | None = None
    seed: int = 0
    resize: Resize = "squash"
    mirror: bool = True
    edgetpu: bool = False
    skip_unreadable: bool = False
    overwrite: bool = False
    workers: int = 2


class TrainReport(msgspec.Struct, frozen=True):
    """What training came to; accuracies are shares 0..1. seconds: from the first photo to the bundle."""

    bundle: str
    bundle_id: str
    classes: tuple[str, ...]
    photos: dict[str, int]
    unreadable: int
    val_top1_head: float | None
    val_top1_float: float
    best_epoch: int
    test_top1_float: float
    test_top1_int8: float
    temperature: float
    seconds: float
    stage_seconds: dict[str, float]
    edgetpu: str


@dataclass(frozen=True, slots=True)
class _Data:
    photos: Photos
    splits: dict[Split, NDArray[np.int64]]
    labels: NDArray[np.int64]
    golden_frames: list[Pixels]


class _Clock:
    """Seconds of each stage."""

    def __init__(self) -> None:
        self.started = self._last = time.monotonic()
        self.stages: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.monotonic()
        self.stages[stage] = round(now - self._last, 1)
        self._last = now

    @property
    def total(self) -> float:
        return round(time.monotonic() - self.started, 1)


def train(options: Options, progress: Progress) -> TrainReport:
    """Train, quantize, measure and write the bundle. Raises FieldfareError's children; leaves no half
    bundle."""
    clock = _Clock()
    spec = Preprocessing(channel_order="rgb", resize=options.resize, mean=(127.5,) * 3, std=(127.5,) * 3)
    _check_out(options)
    listing = list_photos(options.data)
    progress.say(f"{options.network.title}, weights {options.weights}, seed {options.seed}")
    backbone = _backbone(options)
    clock.lap("network")
    with tempfile.TemporaryDirectory(prefix="fieldfare-train-") as folder:
        data = _load(options, listing, spec, Path(folder), progress)
        clock.lap("photos")
        model, head_accuracy, val_accuracy, epoch = _learn(options, backbone, spec, data, progress, clock)
        return _finish(options, spec, data, model, (head_accuracy, val_accuracy, epoch), progress, clock)


def _check_out(options: Options) -> None:
    """Before any work: is there a place for the bundle, and is it not among the photos?"""
    target, data = check_target(options.out, overwrite=options.overwrite), options.data.resolve()
    if target == data or data in target.parents or target in data.parents:
        raise OutputExistsError(f"--out {options.out} lies among the photos: choose a place outside {options.data}")


def _backbone(options: Options) -> object:
    """The network before training. Before the photos are read, so that missing weights are told at once."""
    load_tensorflow()
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(options.seed)
    tf.config.experimental.enable_op_determinism()
    return build_backbone(options.network, options.weights)


def _load(options: Options, listing: Listing, spec: Preprocessing, folder: Path, progress: Progress) -> _Data:
    size = options.network.size
    tensor = InputTensor(
        width=size, height=size, dtype="int8", quantization=Quantization(scale=1 / 127.5, zero_point=-1)
    )
    with progress.stage("reading photos", len(listing.photos)) as advance:
        photos = load_photos(
            listing,
            spec,
            tensor,
            folder,
            workers=options.workers,
            skip_unreadable=options.skip_unreadable,
            progress=advance,
        )
    for problem in photos.unreadable:
        progress.say(f"left out: {problem}")
    groups = group_duplicates(photos.hashes, photos.greys)
    splits, torn = assign_splits(photos.listing, groups, options.seed)
    counts = ", ".join(f"{len(splits[split])} {split}" for split in SPLITS)
    extra = len(groups) - len(np.unique(groups))
    progress.say(
        f"{len(photos.listing.photos)} photos of {len(listing.classes)} classes: {counts}; {extra} near-duplicates"
    )
    if photos.listing.ignored:
        progress.say(
            f"{photos.listing.ignored} other files were passed over: photos are JPEG, PNG, BMP, WebP and TIFF by name"
        )
    if torn:
        progress.say(
            f"warning: {torn} groups of near-duplicates stand in more than one split folder: "
            "the figures may be better than the field will be"
        )
    candidates = splits["val"][:: max(1, len(splits["val"]) // GOLDEN_CANDIDATES)][:GOLDEN_CANDIDATES]
    frames = [golden.shrink(read_image(photos.listing.photos[index].path)) for index in candidates]
    return _Data(photos, splits, photos.listing.labels, frames)


def _learn(
    options: Options, backbone: object, spec: Preprocessing, data: _Data, progress: Progress, clock: _Clock
) -> tuple[object, float | None, float, int]:
    """The trained float model, validation accuracy after the head (None from scratch) and at the end, and
    the best epoch."""
    classes = len(data.photos.listing.classes)
    pixels, labels, train_set, val_set = (
        data.photos.pixels,
        data.labels,
        data.splits["train"],
        data.splits["val"],
    )
    augmentation = Augmentation(mirror=options.mirror)
    if options.weights == "none":
        quicken_batch_norm(backbone)
        model = add_head(backbone, classes)
        epochs = SCRATCH_EPOCHS if options.epochs is None else options.epochs
        recipe = Recipe(epochs, SCRATCH_PEAK, augmentation, options.seed)
        outcome = fit(model, spec, pixels, labels, train_set, val_set, recipe, progress, keep_start=False)
        clock.lap("training")
        return model, None, outcome.val_accuracy, outcome.epoch
    folded = fold_batch_norm(backbone)
    model, head_accuracy = _frozen_phase(options, spec, data, folded, progress)
    clock.lap("head")
    epochs = FINE_TUNING_EPOCHS if options.epochs is None else options.epochs
    if not epochs:
        return model, head_accuracy, head_accuracy, 0
    _tune_from(model, FIRST_TUNED[options.network.architecture])
    recipe = Recipe(epochs, FINE_TUNING_PEAK, augmentation, options.seed)
    outcome = fit(model, spec, pixels, labels, train_set, val_set, recipe, progress, keep_start=True)
    clock.lap("fine-tuning")
    return model, head_accuracy, outcome.val_accuracy, outcome.epoch


def _frozen_phase(
    options: Options, spec: Preprocessing, data: _Data, folded: object, progress: Progress
) -> tuple[object, float]:
    pixels, train_set, val_set = data.photos.pixels, data.splits["train"], data.splits["val"]
    views = (False, True) if options.mirror else (False,)
    predictor = Predictor(folded, spec)
    with progress.stage("features", len(train_set) * len(views) + len(val_set)) as advance:
        train_features = np.concatenate(
            [predictor.predict(pixels, train_set, mirrored=view, advance=advance) for view in views]
        )
        val_features = predictor.predict(pixels, val_set, advance=advance)
    with progress.stage("head", len(STRENGTHS)) as advance:
        head = train_head(
            (train_features, np.tile(data.labels[train_set], len(views))),
            (val_features, data.labels[val_set]),
            len(data.photos.listing.classes),
            advance,
        )
    progress.say(f"head on frozen features: validation {head.val_accuracy:.1%}")
    return add_head(folded, len(data.photos.listing.classes), head.kernel, head.bias), head.val_accuracy


def _tune_from(model: object, first: str) -> None:
    """Freeze every layer before the one named `first`."""
    reached = False
    for layer in model.layers:  # type: ignore[attr-defined]
        reached = reached or layer.name == first
        layer.trainable = reached


def _finish(
    options: Options,
    spec: Preprocessing,
    data: _Data,
    model: object,
    found: tuple[float | None, float, int],
    progress: Progress,
    clock: _Clock,
) -> TrainReport:
    pixels, labels, splits = data.photos.pixels, data.labels, data.splits
    progress.say("quantizing to int8")
    calibration_set = choose_calibration(labels, splits["train"], options.seed)
    tflite = quantize(model, spec, pixels, calibration_set)
    clock.lap("quantizing")
    runtime = load_runtime()
    classifier = TfliteClassifier(runtime, tflite, threads=options.workers)
    tensors = tensors_of(classifier)
    with progress.stage("measuring int8", len(splits["val"]) + len(splits["test"])) as advance:
        on_val = run_int8(classifier, spec, tensors[0], pixels, splits["val"], advance)
        on_test = run_int8(classifier, spec, tensors[0], pixels, splits["test"], advance)
    temperature = fit_temperature(on_val, labels[splits["val"]], tensors[1])
    calibration = Calibration(temperature=temperature, method="temperature, int8 logits, validation photos")
    test_int8 = top1(on_test, labels[splits["test"]], tensors[1], calibration)
    test_float, _ = Predictor(model, spec).evaluate(pixels, labels, splits["test"])
    clock.lap("measuring")
    compiled, verdict = _compile(options, tflite, progress)
    bundle = _write(options, spec, data, tflite, tensors, calibration, (found[1], test_float, test_int8), compiled)
    clock.lap("bundle")
    return TrainReport(
        bundle=readable_name(options.out),
        bundle_id=bundle.bundle_id,
        classes=data.photos.listing.classes,
        photos={split: len(splits[split]) for split in SPLITS},
        unreadable=len(data.photos.unreadable),
        val_top1_head=found[0],
        val_top1_float=found[1],
        best_epoch=found[2],
        test_top1_float=test_float,
        test_top1_int8=test_int8,
        temperature=temperature,
        seconds=clock.total,
        stage_seconds=clock.stages,
        edgetpu=verdict,
    )


def _compile(options: Options, tflite: bytes, progress: Progress) -> tuple[Compiled | None, str]:
    if not options.edgetpu:
        return None, "not asked for"
    progress.say("compiling for the Edge TPU")
    try:
        compiled = compile_model(tflite)
    except (UnavailableError, ModelError) as error:
        # The training is not thrown away: the bundle serves from the CPU.
        progress.say(f"warning: the bundle is for the CPU only: {error}")
        return None, "no compiler" if isinstance(error, UnavailableError) else "refused by the compiler"
    report = compiled.report
    if report.on_cpu:
        progress.say(f"warning: {report.on_cpu} operators stay on the CPU; the compiler's log is in the bundle")
    return compiled, f"{report.on_tpu} operators on the TPU, {report.on_cpu} on the CPU"


def _write(
    options: Options,
    spec: Preprocessing,
    data: _Data,
    tflite: bytes,
    tensors: tuple[InputTensor, OutputTensor],
    calibration: Calibration,
    figures: tuple[float, float, float],
    compiled: Compiled | None,
) -> Bundle:
    network, splits = options.network, data.splits
    val_float, test_float, test_int8 = figures
    weights = options.weights if options.weights in ("none", "imagenet") else readable_name(Path(options.weights).name)
    bundle = write_bundle(
        options.out,
        name=readable_name(options.out.resolve().name.removesuffix(".fieldfare")),
        source=readable_name(options.data.resolve().name),
        model=tflite,
        labels=data.photos.listing.classes,
        architecture=Architecture(
            family=network.title.split()[0], alpha=network.alpha, weights=weights, seed=options.seed
        ),
        preprocessing=spec,
        tensors=tensors,
        calibration=calibration,
        metrics=Metrics(
            split="test",
            photos=len(splits["test"]),
            top1_float=test_float,
            top1_int8=test_int8,
            validation_top1_float=val_float,
            validation_photos=len(splits["val"]),
        ),
        notes=data.photos.unreadable[:20],
        runtime=load_runtime(),
        golden_frames=data.golden_frames,
        compiled=compiled,
    )
    save(bundle, overwrite=options.overwrite)
    return bundle

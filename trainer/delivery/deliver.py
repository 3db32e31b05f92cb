"""Do all that follows learning: int8, figures, threshold, the Edge TPU, the report and the bundle."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Architecture, Calibration, Metrics
from edge.bundle.store import Bundle
from edge.bundle.write import save
from edge.errors import ModelError, StorageError, UnavailableError
from edge.images import read_image, readable_name
from edge.inference import golden
from edge.inference.assembly import Parts, assemble
from edge.inference.runtime import load_runtime
from edge.records import Pixels
from edge.storage import write_file
from trainer.dataset.listing import SPLITS
from trainer.dataset.photos import Photos
from trainer.delivery.records import Delivery
from trainer.delivery.remembered import with_examples
from trainer.delivery.report_input import make_report
from trainer.edgetpu.bundling import edgetpu_part
from trainer.edgetpu.compatibility import Verdict, judge
from trainer.edgetpu.compiling import COMMAND, Compiled, compile_model
from trainer.edgetpu.tflite_graph import read_graph
from trainer.learning.checkpoint import folder_of
from trainer.learning.predict import Predictor
from trainer.measuring.int8_model import logits_of, run_int8
from trainer.measuring.metrics import top1
from trainer.measuring.scaling import Scaling, best_scaling
from trainer.measuring.threshold import choose_threshold, effect
from trainer.networks.weights import sha256_of
from trainer.options import Options, TrainReport
from trainer.pages.words import counted
from trainer.quantizing.convert import choose_representative, spread
from trainer.quantizing.int8 import Int8, to_int8
from trainer.report.build import Evaluation, Evaluations, Outside, no_threshold
from trainer.report.page import write_report
from trainer.run_context import RunContext

GOLDEN_CANDIDATES = 12


def deliver(given: Delivery, outside: Photos | None, pages: tuple[Path, Path]) -> TrainReport:
    """Quantize, measure, compile on request, write the report and then the bundle. outside: the photos of --outside,
    closed here. Raises FieldfareError's children; the bundle is whole or not there, and so are `pages`."""
    run, data, photos = given.run, given.data, given.data.photo_set
    chosen = choose_representative(photos.labels, data.photos.greys, photos.train, run.options.seed)
    made = to_int8(given.learned.model, run.spec, photos, chosen, run.progress, run.options.workers)
    judged = made
    if given.learned.judged is not given.learned.model:
        # What has learned from the validation photos is too sure of them for scores and a threshold to rest on that.
        judged = to_int8(given.learned.judged, run.spec, photos, chosen, run.progress, run.options.workers)
    run.clock.lap("quantizing")
    found = _measure(given, made, judged)
    with _strangers(run, made, found, outside) as strangers:
        found = replace(found, outside=strangers)
        run.clock.lap("measuring")
        graph = read_graph(made.model)
        verdict = judge(graph)
        compiled, note = _compile(run, made.model)
        report, pictures = make_report(given, made, found, (graph, verdict, compiled, note))
    with _both_or_none(run.options, pages):
        # The report first: once there is a bundle, all is done. A report of an interrupted run may stand there.
        write_report(report, pictures, *pages, overwrite=True)
        run.clock.lap("report")
        bundle = _write_bundle(given, made, found, compiled)
    run.clock.lap("bundle")
    return _summary(given, bundle, found, verdict, note, pages[0])


@contextmanager
def _both_or_none(options: Options, pages: tuple[Path, Path]) -> Iterator[None]:
    """Remove the new pages if the disk has no room for report and bundle, and put back those of a bundle that was to
    be replaced. Raises StorageError with the way on."""
    before = {page: page.read_bytes() for page in pages if page.is_file()} if options.out.exists() else {}
    try:
        yield
    except StorageError as error:
        for page in pages:
            with suppress(OSError):
                page.unlink(missing_ok=True)
        for page, data in before.items():
            with suppress(StorageError):
                write_file(page, data)
        state = folder_of(options.out.resolve()).name
        command = "the same command" + (" without --restart" if options.restart else "")
        raise StorageError(f"{error}; {command} then goes on from {state}") from error


def _measure(given: Delivery, made: Int8, judged: Int8) -> Evaluations:
    """Judge the int8 model `made` on the test photos, with scores and threshold by the validation photos' answers of
    `judged`: the same model, or the one from before they joined its photos."""
    run, photos, test = given.run, given.data.photo_set, given.data.splits["test"]
    pixels, truth, val, colours = photos.pixels, photos.labels, photos.val, given.data.photos.pixels
    with run.progress.stage("measuring int8", len(test)) as advance:
        raw = run_int8(made.classifier, run.spec, made.tensors[0], pixels, test, advance)
    test_logits = logits_of(raw, made.tensors[1])
    test_float = Predictor(given.learned.model, run.spec).predict(pixels, test)
    scaling = best_scaling(judged.val_logits, truth[val])
    promise = run.options.min_precision
    val_scores = scaling.scores(judged.val_logits)
    threshold = choose_threshold(val_scores, truth[val], promise) if promise > 0 else no_threshold()

    def evaluation(split: str, indices: NDArray[np.int64], logits: Any, float_logits: Any) -> Evaluation:
        return Evaluation(
            split=split,
            names=tuple(_name(given, index) for index in indices),
            truth=truth[indices],
            scores=scaling.scores(logits),
            uncalibrated=Scaling().scores(logits),
            float_scores=scaling.scores(float_logits),
            thumbnail=lambda place: colours[indices[place]],  # people find a photo by its colours
        )

    return Evaluations(
        labels=given.data.classes,
        test=evaluation("test", test, test_logits, test_float),
        validation=evaluation("val", val, judged.val_logits, judged.val_float_logits),
        scaling=scaling,
        threshold=threshold,
    )


def _name(given: Delivery, index: int) -> str:
    listing = given.data.photos.listing
    return readable_name(listing.photos[index].path.relative_to(listing.root))


@contextmanager
def _strangers(
    run: RunContext, made: Int8, found: Evaluations, outside: Photos | None
) -> Iterator[tuple[Outside, ...]]:
    """Run the finished model on the photos of --outside, which belong to no class. Their pictures can be read inside
    the block."""
    if outside is None:
        yield ()
        return
    listing = outside.listing
    with outside.pixels as pixels:
        everything = np.arange(len(listing.photos))
        raw = run_int8(made.classifier, run.spec, made.tensors[0], outside.seen, everything, lambda _: None)
        scores = found.scaling.scores(logits_of(raw, made.tensors[1]))
        unknown = float((scores.max(axis=1) < found.threshold.threshold).mean())
        run.progress.say(f"{counted(len(everything), 'photo')} outside the classes: {unknown:.0%} called unknown")
        names = tuple(readable_name(photo.path.relative_to(listing.root)) for photo in listing.photos)
        title = readable_name(listing.root.resolve().name)
        yield (Outside(title, names, scores, lambda place: pixels[place]),)


def _compile(run: RunContext, model: bytes) -> tuple[Compiled | None, str]:
    """Return the compiled twin, None if it was not wanted or not possible, and what became of it in a few words."""
    # The training is never thrown away: without a twin the bundle serves from the CPU.
    options = run.options
    out = shlex.quote(str(options.out))
    elsewhere = f"from another machine, fieldfare bundle add-edgetpu {out} model_edgetpu.tflite --log words.txt"
    if not options.edgetpu:
        return None, "not requested"
    run.progress.say("compiling for the Edge TPU")
    try:
        compiled = compile_model(
            model,
            command=options.compiler or COMMAND,
            allow_partial=options.allow_partial,
            teachable=options.teachable,
        )
    except (UnavailableError, ModelError, StorageError) as error:
        run.progress.say(
            f"warning: the bundle is for the CPU only: {error}; later: fieldfare compile {out}, or, {elsewhere}"
        )
        if isinstance(error, StorageError):
            return None, "no room for the compiler's files"
        return None, "no compiler" if isinstance(error, UnavailableError) else "refused"
    for remark in compiled.remarks:
        run.progress.say(f"compiler: {remark}")
    mapped = f"{compiled.report.on_tpu} operators on the TPU, {compiled.report.on_cpu} on the CPU"
    return compiled, f"{mapped}: the last layer, so that it can be taught" if compiled.facts.teachable else mapped


def _write_bundle(given: Delivery, made: Int8, found: Evaluations, compiled: Compiled | None) -> Bundle:
    options, network, weights = given.run.options, given.run.options.network, given.run.weights
    test, validation, threshold = found.test, found.validation, found.threshold
    right = top1(test.truth, test.scores)
    assert right is not None  # every split has photos of every class
    assert validation is not None
    assert test.float_scores is not None
    parts = Parts(
        name=readable_name(options.out.resolve().name.removesuffix(".fieldfare")),
        kind="trained",
        source=readable_name(options.data.resolve().name),
        model=with_examples(given, made),
        labels=given.data.classes,
        architecture=Architecture(
            family=network.family.title,
            alpha=network.alpha,
            weights="none" if weights is None else readable_name(weights.name),
            weights_sha256=None if weights is None else sha256_of(weights),
            seed=options.seed,
        ),
        preprocessing=given.run.spec,
        tensors=made.tensors,
        calibration=Calibration(
            temperature=found.scaling.temperature,
            bias=found.scaling.bias,
            threshold=threshold.threshold,
            promised_precision=threshold.promise if threshold.shown else None,
            method="temperature, bias and threshold, int8 logits, validation photos",
        ),
        metrics=Metrics(
            split="test",
            photos=len(test.truth),
            top1_float=_share_right(test.truth, test.float_scores),
            top1_int8=right.value,
            validation_top1_float=given.learned.val_accuracy,
            validation_photos=len(validation.truth),
            calibration_error=found.calibration_error,
        ),
        notes=given.data.photos.unreadable[:20],
        edgetpu=None
        if compiled is None
        else edgetpu_part(compiled.model, compiled.facts, compiled.report, compiled.log),
        taxonomy=given.run.taxonomy,
        cut=None if given.run.crop is None else given.run.crop.cut,
    )
    bundle = assemble(options.out, parts, load_runtime(), _golden_frames(given))
    save(bundle, overwrite=options.overwrite)
    return bundle


def _golden_frames(given: Delivery) -> list[Pixels]:
    """Return validation photos as a camera hands them over, B, G, R."""
    val, photos = given.data.splits["val"], given.data.photos.listing.photos
    candidates = spread(val, GOLDEN_CANDIDATES)
    return [golden.shrink(read_image(photos[index].path)) for index in candidates]


def _summary(
    given: Delivery, bundle: Bundle, found: Evaluations, verdict: Verdict, note: str, page: Path
) -> TrainReport:
    run, learned, test = given.run, given.learned, found.test
    assert test.float_scores is not None
    accepted = effect(test.truth, test.scores, found.threshold.threshold)
    assert accepted is not None
    return TrainReport(
        bundle=readable_name(run.options.out),
        bundle_id=bundle.bundle_id,
        report=readable_name(page),
        classes=bundle.labels,
        photos={split: len(given.data.splits[split]) for split in SPLITS},
        unreadable=len(given.data.photos.unreadable),
        val_top1_head=learned.history.head_accuracy,
        val_top1_float=learned.val_accuracy,
        best_epoch=learned.history.kept,
        test_top1_float=_share_right(test.truth, test.float_scores),
        test_top1_int8=_share_right(test.truth, test.scores),
        calibration_error=found.calibration_error,
        temperature=found.scaling.temperature,
        bias=found.scaling.bias,
        threshold=found.threshold.threshold,
        promise_shown=found.threshold.shown,
        coverage=accepted.coverage,
        precision=None if accepted.precision is None else accepted.precision.value,
        seconds=run.clock.total,
        stage_seconds=run.clock.stages,
        edgetpu_check=verdict.outcome,
        edgetpu=note,
    )


def _share_right(truth: NDArray[np.int64], scores: NDArray[np.float32]) -> float:
    return float((scores.argmax(axis=1) == truth).mean())

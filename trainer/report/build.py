"""Make the report and its pictures from answers. All but the test photos' scores may be missing."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.errors import DatasetError
from trainer.learning.epochs import History
from trainer.learning.left_out import LeftOut
from trainer.measuring.metrics import (
    Interval,
    ScoreTable,
    Truth,
    best_scores,
    calibration_error_by_chance,
    class_figures,
    confused_pairs,
    confusion_matrix,
    expected_calibration_error,
    macro_recall,
    overconfidence,
    predictions,
    reliability,
    top1,
)
from trainer.measuring.scaling import Scaling
from trainer.measuring.threshold import Threshold, coverage_curve, effect
from trainer.pages import thumbnail
from trainer.quantizing.layer_errors import LayerNoise
from trainer.report.records import (
    Calibrated,
    DataSummary,
    Measured,
    Model,
    OutsideFigures,
    PhotoAnswer,
    Quantized,
    Report,
    Run,
)

MATRIX_CLASSES = 40  # 1,600 numbers; beyond, report.json would be mostly zeros
PAIRS = 15
GALLERY = 12
OUTSIDE_GALLERY = 6
HISTOGRAM_BINS = 20

Thumbnail = Callable[[int], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Answers on one set of photos of known classes.

    split: the set's name.
    names: (n,) file names.
    truth: int64 (n,).
    scores: float32 (n, classes), calibrated, as the device computes them.
    uncalibrated: the softmax of the logits as they are.
    float_scores: of the float model, calibrated alike.
    thumbnail: returns photo i as uint8 (height, width, 3), R, G, B, of any size.
    """

    split: str
    names: tuple[str, ...]
    truth: Truth
    scores: ScoreTable
    uncalibrated: ScoreTable | None = None
    float_scores: ScoreTable | None = None
    thumbnail: Thumbnail | None = None


@dataclass(frozen=True, slots=True)
class Outside:
    """Answers on photos of things that belong to no class; fields as in Evaluation."""

    title: str
    names: tuple[str, ...]
    scores: ScoreTable
    thumbnail: Thumbnail | None = None


def no_threshold(value: float = 0.0) -> Threshold:
    """Return the record of a threshold that nobody chose here: a bundle's own, or none."""
    note = "no precision was requested; nothing is called unknown" if value == 0 else "the bundle's own threshold"
    return Threshold(promise=None, threshold=value, shown=False, bound=None, validation=None, note=note)


@dataclass(frozen=True, slots=True)
class Evaluations:
    """All answers of one model.

    labels: names of the classes.
    test: photos by which nothing was chosen.
    validation: photos by which epoch, scaling and threshold were chosen.
    scaling: makes scores from logits.
    threshold: below it, a score is called unknown.
    outside: sets of photos that belong to no class.
    """

    labels: tuple[str, ...]
    test: Evaluation
    validation: Evaluation | None = None
    scaling: Scaling = field(default_factory=Scaling)
    threshold: Threshold = field(default_factory=no_threshold)
    outside: tuple[Outside, ...] = ()

    @property
    def calibration_error(self) -> float | None:
        """Expected calibration error on the test photos."""
        return expected_calibration_error(reliability(self.test.truth, self.test.scores))


@dataclass(frozen=True, slots=True)
class Example:
    """A photo that was learned from, as JPEG bytes: as it was read; prepared, if the bundle prepares; and as training
    altered it, if it did."""

    name: str
    photo: bytes
    prepared: bytes | None
    altered: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Pictures:
    """JPEG bytes of the gallery: test photos by index, outside photos by (set, index); and the sheet of examples."""

    test: dict[int, bytes] = field(default_factory=dict)
    outside: dict[tuple[int, int], bytes] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()


def build_report(
    found: Evaluations,
    run: Run,
    *,
    left_out: tuple[LeftOut, ...] = (),
    data: DataSummary | None = None,
    history: History | None = None,
    layers: tuple[LayerNoise, ...] = (),
    remedy: str | None = None,
    model: Model | None = None,
) -> tuple[Report, Pictures]:
    """Work out all figures. layers and remedy: shown if the test photos have scores of the float model.

    Raises DatasetError without test photos, ValueError if shapes do not fit."""
    test = _measure(found.test, found)
    report = Report(
        run=run,
        labels=found.labels,
        test=test,
        validation=_measure(found.validation, found) if found.validation else None,
        threshold=found.threshold,
        outside=tuple(_outside(entry, found.labels, found.threshold.threshold) for entry in found.outside),
        left_out=left_out,
        data=data,
        history=history,
        quantized=_quantized(found.test, layers, remedy),
        model=model,
    )
    return report, _pictures(found, report)


def _measure(entry: Evaluation, found: Evaluations) -> Measured:
    labels, threshold = found.labels, found.threshold.threshold
    _check(entry.split, len(entry.names), entry.scores, labels, entry.truth)
    answers = predictions(entry.scores)
    overall = top1(entry.truth, entry.scores)
    if overall is None:
        raise DatasetError(f"no {entry.split} photos: a report needs at least one")
    classes = len(labels)
    matrix = confusion_matrix(entry.truth, answers, classes)
    figures = class_figures(matrix, labels)
    best = best_scores(entry.scores)
    return Measured(
        split=entry.split,
        photos=len(entry.truth),
        top1=overall,
        macro_recall=macro_recall(figures),
        classes=figures,
        confusion=tuple(map(tuple, matrix.tolist())) if classes <= MATRIX_CLASSES else None,
        pairs=confused_pairs(matrix, labels, PAIRS),
        calibration=_calibrated(entry, found.scaling),
        curve=coverage_curve(entry.truth, entry.scores),
        at_threshold=effect(entry.truth, entry.scores, threshold),
        histogram=_histogram(best),
        worst=_answers(entry, labels, threshold, _worst(answers != entry.truth, best)),
        unsure=_answers(entry, labels, threshold, np.argsort(best, kind="stable")[:GALLERY]),
    )


def _check(what: str, names: int, scores: ScoreTable, labels: tuple[str, ...], truth: Truth | None = None) -> None:
    if scores.shape != (names, len(labels)) or (truth is not None and truth.shape != (names,)):
        shape = None if truth is None else truth.shape
        raise ValueError(f"{what}: {names} names, {len(labels)} labels, scores {scores.shape}, truth {shape}")


def _calibrated(entry: Evaluation, scaling: Scaling) -> Calibrated:
    bins = reliability(entry.truth, entry.scores)
    before = () if entry.uncalibrated is None else reliability(entry.truth, entry.uncalibrated)
    return Calibrated(
        temperature=scaling.temperature,
        bias=scaling.bias,
        bins=bins,
        error=expected_calibration_error(bins),
        error_by_chance=calibration_error_by_chance(entry.scores),
        excess=overconfidence(bins),
        bins_before=before,
        error_before=expected_calibration_error(before),
    )


def _histogram(best: NDArray[np.float64]) -> tuple[float, ...]:
    counts = np.histogram(best, bins=HISTOGRAM_BINS, range=(0, 1))[0]
    return tuple((counts / max(1, len(best))).tolist())


def _worst(wrong: NDArray[np.bool_], best: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the places of the wrong answers, surest first."""
    places = np.flatnonzero(wrong)
    order: NDArray[np.int64] = places[np.argsort(-best[places], kind="stable")][:GALLERY]
    return order


def _answers(
    entry: Evaluation | Outside, labels: tuple[str, ...], threshold: float, places: NDArray[np.int64]
) -> tuple[PhotoAnswer, ...]:
    best, answers = best_scores(entry.scores), predictions(entry.scores)
    truth = entry.truth if isinstance(entry, Evaluation) else None
    return tuple(
        PhotoAnswer(
            index=i,
            name=entry.names[i],
            truth=None if truth is None else labels[truth[i]],
            answer=labels[answers[i]],
            score=float(best[i]),
            truth_score=None if truth is None else round(float(entry.scores[i, truth[i]]), 6),
            accepted=bool(best[i] >= threshold),
        )
        for i in map(int, places)
    )


def _outside(entry: Outside, labels: tuple[str, ...], threshold: float) -> OutsideFigures:
    _check(entry.title, len(entry.names), entry.scores, labels)
    if not entry.names:
        raise DatasetError(f"{entry.title}: no photos outside the classes: add some or leave it out")
    best, answers = best_scores(entry.scores), predictions(entry.scores)
    named = Counter(labels[i] for i in answers[best >= threshold])
    surest = np.argsort(-best, kind="stable")[:OUTSIDE_GALLERY]
    return OutsideFigures(
        title=entry.title,
        photos=len(best),
        unknown=float((best < threshold).mean()),
        histogram=_histogram(best),
        answers=tuple(named.most_common(5)),
        surest=_answers(entry, labels, threshold, surest),
    )


def _quantized(entry: Evaluation, layers: tuple[LayerNoise, ...], remedy: str | None) -> Quantized | None:
    if entry.float_scores is None:
        return None
    same = predictions(entry.scores) == predictions(entry.float_scores)
    return Quantized(
        float_top1=_known(top1(entry.truth, entry.float_scores)),
        int8_top1=_known(top1(entry.truth, entry.scores)),
        agreement=float(same.mean()),
        mean_difference=float(np.abs(entry.scores - entry.float_scores).mean()),
        layers=layers,
        remedy=remedy,
    )


def _known(value: Interval | None) -> Interval:
    assert value is not None  # _measure has seen photos
    return value


def _pictures(found: Evaluations, report: Report) -> Pictures:
    """Make the thumbnails that the page shows, each once."""
    pictures = Pictures()
    if found.test.thumbnail is not None:
        for answer in (*report.test.worst, *report.test.unsure):
            if answer.index not in pictures.test:
                pictures.test[answer.index] = thumbnail.encode(found.test.thumbnail(answer.index))
    for place, (entry, figures) in enumerate(zip(found.outside, report.outside, strict=True)):
        for answer in figures.surest if entry.thumbnail is not None else ():
            assert entry.thumbnail is not None
            pictures.outside[place, answer.index] = thumbnail.encode(entry.thumbnail(answer.index))
    return pictures

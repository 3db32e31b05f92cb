"""The report of a bundle as records: the content of `report.json`, from which the page is made.

Records of other steps are used as they are, so the names of their fields are keys of that file, too.
Shares are 0..1, sizes bytes, times seconds. What was not measured is None or an empty tuple.
"""

import msgspec

from trainer.check.findings import Finding
from trainer.learning.epochs import History
from trainer.learning.left_out import LeftOut
from trainer.measuring.metrics import ClassFigures, Confusion, Interval, ReliabilityBin
from trainer.measuring.threshold import CurvePoint, Threshold, ThresholdEffect
from trainer.quantizing.layer_errors import LayerNoise

SCHEMA = 1


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What was made, with what.

    title: the bundle's name.
    network: such as 'MobileNetV2 0.35 224'.
    created: ISO 8601.
    tool: such as 'fieldfare 0.1.0'.
    options: as given on the command line.
    versions: library -> version.
    """

    title: str
    network: str
    created: str
    tool: str
    weights: str | None = None
    seed: int | None = None
    options: dict[str, str] = {}
    versions: dict[str, str] = {}
    stage_seconds: dict[str, float] = {}
    seconds: float | None = None


class MachineLabels(msgspec.Struct, frozen=True, kw_only=True):
    """Labels that `dataset spread` made.

    labels, in_training: how many there are, and how many of them were learned from.
    weight: what each counted at most, beside 1 for one made by hand.
    sure_median, sure_least: how sure they are, 0..1.
    """

    labels: int
    in_training: int
    weight: float
    sure_median: float
    sure_least: float


class DataSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The photos.

    classes: their names.
    counts: split -> photos of each class, in the order of `classes`.
    unreadable: photos that were left out, and why.
    near_duplicates: photos that are nearly the same as an earlier one.
    torn: groups of near-duplicates that stand in more than one split.
    findings: of the dataset check.
    machine_labels: None if all labels were made by hand.
    """

    classes: tuple[str, ...]
    counts: dict[str, tuple[int, ...]]
    unreadable: tuple[str, ...] = ()
    near_duplicates: int = 0
    torn: int = 0
    findings: tuple[Finding, ...] = ()
    machine_labels: MachineLabels | None = None


class Quantized(msgspec.Struct, frozen=True, kw_only=True):
    """int8 against float on the same photos.

    agreement: the share of photos given the same name by both.
    mean_difference: of all scores, absolute, 0..1.
    layers: the noise of each layer.
    remedy: what was done about a loss.
    """

    float_top1: Interval
    int8_top1: Interval
    agreement: float
    mean_difference: float
    layers: tuple[LayerNoise, ...] = ()
    remedy: str | None = None


class Operator(msgspec.Struct, frozen=True):
    """An operator of the .tflite, its version and how often it is used."""

    name: str
    version: int
    count: int


class Memory(msgspec.Struct, frozen=True):
    """The model's parameters on an Edge TPU, in bytes.

    streamed: sent to it at each inference; at least and at most, which differ only in a prediction.
    compiled: read from the compiled model; otherwise predicted from the operators.
    """

    on_chip: int
    streamed: tuple[int, int]
    compiled: bool


class EdgeTpuVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the Edge TPU takes the model.

    word: 'whole', 'partial' or 'refused'.
    line: one sentence.
    rows: (operator, 'Edge TPU' or 'CPU', why).
    compiler: the lines that the compiler printed; None if it did not run.
    memory: None if nothing would run there.
    """

    word: str
    line: str
    rows: tuple[tuple[str, str, str], ...] = ()
    compiler: tuple[str, ...] | None = None
    memory: Memory | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The int8 model's file."""

    size: int
    parameters: int | None = None
    operators: tuple[Operator, ...] = ()
    edgetpu: EdgeTpuVerdict | None = None


class PhotoAnswer(msgspec.Struct, frozen=True):
    """One photo and the model's answer.

    index: its place in the evaluation.
    truth: its class; None for a photo of no class.
    truth_score: the score of that class.
    accepted: whether the answer's score reaches the threshold.
    """

    index: int
    name: str
    truth: str | None
    answer: str
    score: float
    truth_score: float | None
    accepted: bool


class Calibrated(msgspec.Struct, frozen=True, kw_only=True):
    """How far scores can be taken for probabilities.

    temperature, bias: the correction; bias has one number a class, None for zeros.
    error: expected calibration error.
    error_by_chance: the error that a perfectly calibrated model would show on so many photos.
    excess: mean score minus share right; above 0 if scores promise too much.
    bins_before, error_before: without the correction.
    """

    temperature: float
    bias: tuple[float, ...] | None = None
    bins: tuple[ReliabilityBin, ...]
    error: float | None
    error_by_chance: float | None = None
    excess: float | None
    bins_before: tuple[ReliabilityBin, ...] = ()
    error_before: float | None = None


class OutsideFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Photos of things that belong to no class.

    unknown: the share that was called unknown.
    histogram: the share of them with a best score in each of 20 equal bins of 0..1.
    answers: the classes that they were taken for, with how often.
    surest: the worst of them.
    """

    title: str
    photos: int
    unknown: float
    histogram: tuple[float, ...]
    answers: tuple[tuple[str, int], ...]
    surest: tuple[PhotoAnswer, ...]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The answers on one set of photos.

    confusion: the whole matrix (row: truth, column: answer) up to 40 classes, else None.
    pairs: the most confused ones.
    curve: coverage and precision at every threshold that changes something.
    at_threshold: with `unknown` allowed.
    histogram: the share of photos with a best score in each of 20 equal bins of 0..1.
    worst: wrong answers, surest first.
    unsure: the answers with the lowest scores.
    """

    split: str
    photos: int
    top1: Interval
    macro_recall: float | None
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    pairs: tuple[Confusion, ...]
    calibration: Calibrated
    curve: tuple[CurvePoint, ...]
    at_threshold: ThresholdEffect | None
    histogram: tuple[float, ...]
    worst: tuple[PhotoAnswer, ...]
    unsure: tuple[PhotoAnswer, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report. test: the photos that chose nothing; validation: those that chose temperature and
    threshold, and can show that another state than the last is better."""

    schema: int = SCHEMA
    run: Run
    labels: tuple[str, ...]
    test: Measured
    validation: Measured | None
    threshold: Threshold
    outside: tuple[OutsideFigures, ...]
    left_out: tuple[LeftOut, ...]
    data: DataSummary | None
    history: History | None
    quantized: Quantized | None
    model: Model | None


def to_json(report: Report) -> bytes:
    """Return the bytes of report.json: indented, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"

"""The report of a bundle as records: what `report.json` holds and what the page is made from.

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
    """What was made, with what. title: the bundle's name; network: such as 'MobileNetV2 0.35 224'; created:
    ISO 8601; options: as given on the command line; versions: library -> version."""

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


class DataSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The photos. counts: split -> photos of each class, in the order of `classes`; unreadable: what was left
    out and why; torn: groups of near-duplicates that stand in more than one split."""

    classes: tuple[str, ...]
    counts: dict[str, tuple[int, ...]]
    unreadable: tuple[str, ...] = ()
    near_duplicates: int = 0
    torn: int = 0
    findings: tuple[Finding, ...] = ()


class Quantized(msgspec.Struct, frozen=True, kw_only=True):
    """int8 against float on the same photos. agreement: the share of photos given the same name by both;
    mean_difference: of all scores, absolute, 0..1; remedy: what was done about a loss."""

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


class EdgeTpuVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Will the Coral take it? word: such as 'whole', 'in part', 'no'; line: one sentence; rows: (operator,
    where it runs, why); compiler: the lines that the compiler printed, None where it did not run."""

    word: str
    line: str
    rows: tuple[tuple[str, str, str], ...] = ()
    compiler: tuple[str, ...] | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The int8 model's file."""

    size: int
    parameters: int | None = None
    operators: tuple[Operator, ...] = ()
    edgetpu: EdgeTpuVerdict | None = None


class PhotoAnswer(msgspec.Struct, frozen=True):
    """One photo and what was said of it. index: its place in the evaluation; truth is None for a photo of no
    class; truth_score: the score that its own class got."""

    index: int
    name: str
    truth: str | None
    answer: str
    score: float
    truth_score: float | None
    accepted: bool


class Calibrated(msgspec.Struct, frozen=True, kw_only=True):
    """How far scores can be taken at their word. error: expected calibration error; excess: mean score minus
    share right, above 0 where scores promise too much; error_by_chance: what a perfectly calibrated model would show on
    so many photos; the *_before figures are without temperature and bias. bias: one number a class, None for zeros."""

    temperature: float
    bias: tuple[float, ...] | None = None
    bins: tuple[ReliabilityBin, ...]
    error: float | None
    error_by_chance: float | None = None
    excess: float | None
    bins_before: tuple[ReliabilityBin, ...] = ()
    error_before: float | None = None


class OutsideFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Photos of things that belong to no class. histogram: the share of them with a best score in each of 20
    equal bins of 0..1; answers: what they were taken for, with how often; surest: the worst of them."""

    title: str
    photos: int
    unknown: float
    histogram: tuple[float, ...]
    answers: tuple[tuple[str, int], ...]
    surest: tuple[PhotoAnswer, ...]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The answers on one set of photos. confusion: the whole matrix (row: truth, column: answer) up to 40
    classes, else None; pairs: the most confused ones; at_threshold: with `unknown` allowed."""

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
    """All of it. test: the photos that chose nothing; validation: those that chose epoch, temperature and
    threshold."""

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
    """The bytes of report.json: indented, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"

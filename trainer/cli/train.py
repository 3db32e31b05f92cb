"""fieldfare train: train a model on a folder of photos and write a bundle."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.numbers import FloatRange
from edge.cli.streams import echo_json
from edge.printable import printable
from trainer.cli import options as shared
from trainer.cli.before_work import begin_long_work
from trainer.cli.packages import require
from trainer.networks.families import DEFAULT_FAMILY, FAMILIES, MAX_SIZE, MIN_SIZE, Network

if TYPE_CHECKING:
    from trainer.options import TrainReport

_WHICH = """\b
Which network? Measured with TrashNet's 2,521 photos (docs/training.md):
  Pi Zero 2, Pi 3, or several cameras   --alpha 0.35 --size 96
  Pi 4, Pi 5 on the CPU                 --alpha 0.35 --size 224   (the default)
  with a Coral, or for most accuracy    --alpha 1.0 --size 224
All of these are expected to run entirely on the Edge TPU; every training reports what is expected of its model.
mobilenet_v3_* are the minimalistic forms: the full ones need operators that the Edge TPU does not have.

Example: fieldfare train my-photos --out birds --time-budget 10"""


def _steps(_: click.Context, __: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Return the steps of --prepare in their order."""
    if text is None:
        return ()
    from edge.bundle.preparation import fault_of, in_order

    steps = [part.strip().lower() for part in text.split(",")]
    if fault := fault_of(steps):
        raise click.BadParameter(f"{printable(fault)}; give one or more, with commas between: --prepare grey,clahe")
    return in_order(steps)


@click.command(epilog=_WHICH)
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Bundle to write: a folder, or NAME.fieldfare. NAME-report.html and .json are written beside it.",
)
@click.option(
    "--arch",
    type=click.Choice(list(FAMILIES)),
    default=DEFAULT_FAMILY,
    show_default=True,
    help="Network architecture.",
)
@click.option("--alpha", type=FloatRange(0.1, 1.4), default=0.35, show_default=True, help="Width multiplier.")
@click.option(
    "--size", type=click.IntRange(MIN_SIZE, MAX_SIZE), default=224, show_default=True, help="Input side in pixels."
)
@click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    metavar="imagenet|none|FILE",
    help="Start from Keras' ImageNet weights, from random ones (none), or from a *_no_top.h5 file.",
)
@click.option(
    "--epochs",
    type=click.IntRange(0, 10_000),
    help="Passes over the photos; 0 trains the head only.  [default: 10, more if they are few; from scratch 40]",
)
@click.option(
    "--time-budget",
    "time_budget_min",
    type=FloatRange(0.5, 100_000),
    metavar="MINUTES",
    help="Time for training and bundle, instead of --epochs.",
)
@click.option(
    "--min-precision",
    type=FloatRange(0, 1, max_open=True),
    default=0.95,
    show_default=True,
    help="Answer 'unknown' often enough that this share of the named photos is right; 0: never.",
)
@click.option(
    "--outside",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Photos of things that belong to no class; the report shows how many are called unknown.",
)
@shared.seed
@click.option(
    "--resize",
    type=click.Choice(["squash", "crop", "letterbox"]),
    default="squash",
    show_default=True,
    help="How pictures that are not square are fitted, in training and on the device.",
)
@click.option(
    "--prepare",
    metavar="STEP,...",
    callback=_steps,
    help="Prepare pictures in training and on the device: white-balance, grey (for infrared nights), smooth, and "
    "equalize or clahe (for odd light); always in this order.",
)
@click.option(
    "--mirror/--no-mirror",
    default=True,
    show_default=True,
    help="Also learn from mirrored photos. Use --no-mirror if left and right matter, as in text.",
)
@click.option("--mirror-vertical", is_flag=True, help="Also learn from photos mirrored top to bottom.")
@click.option(
    "--any-way-up", is_flag=True, help="Also learn from photos turned by any angle, for cameras that look down."
)
@click.option(
    "--nights",
    type=FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="Make this share of the pictures to learn from grey and lit by a lamp, as infrared nights are.",
)
@click.option(
    "--group-by",
    metavar="folder|name:REGEX|csv:FILE:COLUMN",
    help="Photos that must stay in one split, by visit, camera or day: never both learned from and tested on.",
)
@click.option(
    "--class-weights",
    type=click.Choice(["none", "sqrt", "balanced"]),
    default="none",
    show_default=True,
    help="Give photos of small classes more weight.",
)
@click.option(
    "--machine-weight",
    type=FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="What a photo counts at most whose label `dataset spread` made, beside 1 for yours; 0: leave them out.",
)
@click.option(
    "--patience",
    type=click.IntRange(1, 10_000),
    default=10,
    show_default=True,
    help="Stop after this many epochs without a better result on the validation photos.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "mixed"]),
    default="auto",
    show_default=True,
    help="Arithmetic of training; auto: mixed (with float16) on a GPU, otherwise float32.",
)
@click.option("--edgetpu", is_flag=True, help="Also compile for the Coral Edge TPU, if its compiler is available.")
@click.option("--compiler", metavar="COMMAND", help="The compiler of --edgetpu.  [default: edgetpu_compiler]")
@click.option(
    "--teachable", is_flag=True, help="With --edgetpu, leave the last layer on the CPU, for `fieldfare teach`."
)
@click.option("--allow-partial", is_flag=True, help="With --edgetpu, accept a model that runs there only in part.")
@click.option("--skip-unreadable", is_flag=True, help="Leave out photos that cannot be read.")
@click.option("--overwrite", is_flag=True, help="Replace the bundle if it exists.")
@click.option("--restart", is_flag=True, help="Discard an unfinished training instead of resuming it.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=os.cpu_count() or 2,
    help="Processes and threads; fewer decode photos if memory is short.  [default: all cores]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output at the end.")
def train(
    data: Path,
    out: Path,
    arch: str,
    alpha: float,
    size: int,
    weights: str,
    group_by: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a MobileNet on the photos in DATA and write a model bundle.

    DATA holds one folder of photos per class, or train, val and test folders of such folders. Without those,
    15 % of each class are set aside for validation and 15 % for the test; near-duplicates stay in one split.
    To resume a training that was interrupted, give the same command again.
    """
    require("training", "tensorflow", "scipy", "rich", "matplotlib", "jinja2")
    if weights == "none" and options["epochs"] == 0:
        raise click.UsageError("--epochs 0 trains the head only, which needs --weights imagenet or a file")
    if options["time_budget_min"] is not None and options["epochs"] is not None:
        raise click.UsageError("--time-budget and --epochs exclude each other: give one")
    _check_edgetpu(options)
    begin_long_work()
    from trainer.cli.console import ConsoleProgress
    from trainer.dataset.groups import parse_group_by
    from trainer.options import Options
    from trainer.train import train as run

    progress = ConsoleProgress()
    grouping = None if group_by is None else parse_group_by(group_by)
    report = run(Options(data, out, Network(arch, alpha, size), weights, group_by=grouping, **options), progress)
    if report is None:
        return
    progress.table(f"{out}, bundle {report.bundle_id}", _rows(report))
    if as_json:
        echo_json(report)


def _check_edgetpu(options: dict[str, Any]) -> None:
    """Raise UsageError for options that do nothing, or contradict each other."""
    given = options["compiler"] is not None or options["teachable"] or options["allow_partial"]
    if given and not options["edgetpu"]:
        raise click.UsageError(
            "--compiler, --teachable and --allow-partial are for --edgetpu: add it, or leave them out"
        )
    if options["teachable"] and options["allow_partial"]:
        raise click.UsageError("--teachable and --allow-partial exclude each other: give one")


def _rows(report: "TrainReport") -> list[tuple[str, str]]:
    coverage = f"{report.coverage:.0%} of the test photos get a name, {report.precision or 0:.1%} of those are right"
    return [
        ("classes", ", ".join(report.classes[:8]) + (" ..." if len(report.classes) > 8 else "")),
        ("photos", ", ".join(f"{count} {split}" for split, count in report.photos.items())),
        ("validation, head", "-" if report.val_top1_head is None else f"{report.val_top1_head:.1%}"),
        ("validation, best", f"{report.val_top1_float:.1%} (epoch {report.best_epoch})"),
        ("test, float", f"{report.test_top1_float:.1%}"),
        ("test, int8", f"{report.test_top1_int8:.1%}"),
        ("calibration error", f"{report.calibration_error or 0:.3f} (temperature {report.temperature:g})"),
        ("threshold", f"{report.threshold:.3f}: {coverage}" if report.promise_shown else "none: see the report"),
        ("Edge TPU, check", report.edgetpu_check),
        ("Edge TPU, compiled", report.edgetpu),
        ("time", f"{report.seconds:.0f} s"),
        ("report", report.report),
    ]

"""fieldfare train: the command line of the trainer."""

import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from edge.errors import MissingPackageError


@click.command(epilog="Example: fieldfare train my-photos --out birds --alpha 0.5")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Bundle to write: a directory, or NAME.fieldfare.",
)
@click.option("--arch", type=click.Choice(["mobilenet_v1", "mobilenet_v2"]), default="mobilenet_v2", show_default=True)
@click.option("--alpha", type=click.FloatRange(0.1, 1.4), default=0.35, show_default=True, help="Width multiplier.")
@click.option("--size", type=click.IntRange(32, 320), default=224, show_default=True, help="Input side in pixels.")
@click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    metavar="imagenet|none|FILE",
    help="Start from Keras' ImageNet weights, from nothing, or from a *_no_top.h5 file.",
)
@click.option(
    "--epochs",
    type=click.IntRange(0, 10_000),
    help="Passes over the photos; 0 trains the head only.  [default: 10, from scratch 40]",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option(
    "--resize",
    type=click.Choice(["squash", "crop", "letterbox"]),
    default="squash",
    show_default=True,
    help="How pictures of another shape are fitted, in training and on the device.",
)
@click.option(
    "--mirror/--no-mirror",
    default=True,
    show_default=True,
    help="Left and right do not matter (they do in text).",
)
@click.option("--edgetpu", is_flag=True, help="Also compile for the Coral Edge TPU, where its compiler is.")
@click.option("--skip-unreadable", is_flag=True, help="Leave out photos that cannot be read.")
@click.option("--overwrite", is_flag=True, help="Replace the bundle where it exists.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=os.cpu_count() or 2,
    help="Threads.  [default: all cores]",
)
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on standard output.")
def train(
    data: Path,
    out: Path,
    arch: str,
    alpha: float,
    size: int,
    weights: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a MobileNet on the photos in DATA and write a model bundle.

    DATA holds one folder of photos per class, or train, val and test folders of such folders. Without those,
    15 % of each class are set aside for validation and 15 % for the test, near-duplicates on one side.
    """
    _require("tensorflow", "sklearn", "rich")
    if weights == "none" and options["epochs"] == 0:
        raise click.UsageError("--epochs 0 trains the head only, which needs --weights imagenet or a file")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))  # so that temporary files go
    import msgspec

    from trainer.console import ConsoleProgress
    from trainer.model import Network
    from trainer.train import Options
    from trainer.train import train as run

    progress = ConsoleProgress()
    report = run(Options(data, out, Network(arch, alpha, size), weights, **options), progress)
    progress.table(
        f"{out}, bundle {report.bundle_id}",
        [
            ("classes", ", ".join(report.classes[:8]) + (" ..." if len(report.classes) > 8 else "")),
            ("photos", ", ".join(f"{count} {split}" for split, count in report.photos.items())),
            ("validation, head", "-" if report.val_top1_head is None else f"{report.val_top1_head:.1%}"),
            ("validation, best", f"{report.val_top1_float:.1%} (epoch {report.best_epoch})"),
            ("test, float", f"{report.test_top1_float:.1%}"),
            ("test, int8", f"{report.test_top1_int8:.1%}"),
            ("temperature", f"{report.temperature:g}"),
            ("Edge TPU", report.edgetpu),
            ("time", f"{report.seconds:.0f} s"),
        ],
    )
    if as_json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")


def _require(*modules: str) -> None:
    """Look for the trainer's libraries without loading them yet."""
    for name in modules:
        if importlib.util.find_spec(name) is None:
            raise MissingPackageError(f"training needs {name}: pip install 'fieldfare[train]'")

"""fieldfare compare: report which of two bundles is better, and whether the difference is more than chance."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli.apart import apart
from edge.cli.streams import echo_json
from edge.errors import OutputExistsError
from trainer.cli import options
from trainer.cli.packages import require
from trainer.pages.words import clean

if TYPE_CHECKING:
    from trainer.cli.console import ConsoleProgress
    from trainer.comparison.records import Comparison


@click.command(epilog="Example: fieldfare compare birds birds-2 my-photos --report comparison.html")
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--split",
    type=click.Choice(["test", "val", "train", "all"]),
    help="Which photos of DATA to use.  [default: its test folder; all if there is none]",
)
@click.option("--threads", type=click.IntRange(1, 256), default=2, show_default=True, help="CPU threads for inference.")
@click.option("--skip-unreadable", is_flag=True, help="Leave out photos that cannot be read, for both bundles.")
@click.option("--report", type=click.Path(path_type=Path), metavar="FILE.html", help="Also write a page.")
@click.option("--overwrite", is_flag=True, help="Replace the page if it exists.")
@options.as_json
@apart("a", "b")
def compare(
    a: Path,
    b: Path,
    data: Path,
    split: str | None,
    threads: int,
    skip_unreadable: bool,
    report: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Run the bundles A and B on the same photos in DATA and report which is better.

    DATA is as for `fieldfare train`: a folder of photos for each class, or train, val and test folders of those.
    Classes are matched by name. Use photos that neither bundle learned from.
    """
    require("comparing", "scipy", "rich", *(("matplotlib", "jinja2") if report else ()))
    from edge.bundle.store import open_bundle
    from edge.inference.runtime import load_runtime
    from edge.storage import write_file
    from trainer.cli.console import ConsoleProgress
    from trainer.comparison.compare import compare_bundles
    from trainer.comparison.page import render_comparison
    from trainer.dataset.layouts.passed_over import in_words
    from trainer.dataset.listing import list_photos

    if report is not None:
        _check_report(report, (a, b, data), overwrite=overwrite)
    pair = open_bundle(a), open_bundle(b)
    progress = ConsoleProgress()
    listing = list_photos(data, min_photos=1, visits=True)
    for line in in_words(listing.passed_over):
        progress.say(line)
    result, shown = compare_bundles(
        pair,
        listing,
        load_runtime(),
        progress,
        split=split,
        skip_unreadable=skip_unreadable,
        threads=threads,
        pictures=report is not None,
    )
    if report is not None:
        write_file(report, render_comparison(result, shown).encode(), overwrite=overwrite)
    _print(result, progress, as_json=as_json)


def _print(result: "Comparison", progress: "ConsoleProgress", *, as_json: bool) -> None:
    from trainer.comparison.page import terminal_lines

    for note in result.notes:
        progress.say(f"warning: {note}")
    for problem in result.unreadable:
        progress.say(f"left out: {problem}")
    if as_json:
        echo_json(result)
        return
    for line in terminal_lines(result):
        click.echo(clean(line))


def _check_report(path: Path, read: tuple[Path, ...], *, overwrite: bool) -> None:
    from edge.bundle.write import check_outside
    from edge.storage import check_place, refuse_inputs

    if path.is_dir():
        raise OutputExistsError(f"--report {path}: is a folder: name a file, such as {path}/comparison.html")
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} exists: choose another name or add --overwrite")
    check_outside(path, option="--report")
    refuse_inputs(path, read, option="--report")
    check_place(path)

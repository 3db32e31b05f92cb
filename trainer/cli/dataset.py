"""fieldfare dataset: check a folder of photos before training on it, or make one."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli.streams import echo_json
from edge.errors import DataError, DatasetError, OutputExistsError
from trainer.cli import options
from trainer.cli.before_work import begin_long_work
from trainer.cli.crop import crop
from trainer.cli.group import group
from trainer.cli.packages import require
from trainer.cli.pick import pick, spread
from trainer.networks.families import DEFAULT_FAMILY, MAX_SIZE, MIN_SIZE, Network

if TYPE_CHECKING:
    from trainer.check.examine import DatasetReport
    from trainer.dataset.photos import Photos
    from trainer.progress import Progress


@click.group()
def dataset() -> None:
    """Check a folder of photos before training on it, or make one: cut, grouped, labelled."""


dataset.add_command(crop)
dataset.add_command(group)
dataset.add_command(pick)
dataset.add_command(spread)


@dataset.command(
    epilog="Example: fieldfare dataset check my-photos --group-by folder --report photos.html  --  Exit status: 0; "
    "with --strict, 65 if there are problems."
)
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--group-by",
    metavar="folder|name:REGEX|csv:FILE:COLUMN",
    help="What makes one visit, whose photos must all be in one split: the sub-folder in the class folder, what REGEX "
    "finds in the file name, or a column of a table whose column 'file' names the photos.",
)
@click.option(
    "--size",
    type=click.IntRange(MIN_SIZE, MAX_SIZE),
    default=224,
    show_default=True,
    help="Input side in pixels of the model that the photos are for.",
)
@options.seed
@options.workers()
@click.option("--report", type=click.Path(path_type=Path), metavar="FILE.html", help="Also write a page with pictures.")
@click.option("--overwrite", is_flag=True, help="Replace the page if it exists.")
@options.as_json
@click.option("--strict", is_flag=True, help="Exit with status 65 if there are problems.")
def check(
    data: Path,
    group_by: str | None,
    size: int,
    seed: int,
    workers: int,
    report: Path | None,
    overwrite: bool,
    as_json: bool,
    strict: bool,
) -> None:
    """Check the photos in DATA and report what is wrong with them.

    The check finds unreadable and suspicious files, copies and near-duplicates across classes and splits, classes
    that are too small, and recordings that are spread over splits. It changes nothing.
    """
    require("checking photos", "rich", "scipy", "PIL", "jinja2")
    begin_long_work()
    from trainer.check.text import show
    from trainer.cli.console import ConsoleProgress

    if report is not None:
        _check_target(report, data, group_by, overwrite=overwrite)
    with tempfile.TemporaryDirectory(prefix="fieldfare-check-", ignore_cleanup_errors=True) as folder:
        found, photos = _look(data, group_by, (size, seed, workers), Path(folder), ConsoleProgress())
        with photos.pixels:
            if report is not None:
                from trainer.check.page import write_page

                write_page(report, found, photos, overwrite=overwrite)
    if as_json:
        echo_json(found)
    else:
        show(found, report)
    if strict and found.of("problem"):
        raise click.exceptions.Exit(DataError.exit_status)


def _look(
    data: Path, group_by: str | None, numbers: tuple[int, int, int], folder: Path, progress: "Progress"
) -> "tuple[DatasetReport, Photos]":
    from trainer.check.examine import conflicts, examine
    from trainer.cropping.record import find_record
    from trainer.cropping.sources import source_groups
    from trainer.dataset.duplicates import group_duplicates
    from trainer.dataset.groups import join_groups, parse_group_by, visit_groups
    from trainer.dataset.listing import list_photos
    from trainer.dataset.photos import load_photos
    from trainer.dataset.splitting import assign_splits
    from trainer.networks.pixels import input_of, preprocessing_for

    size, seed, workers = numbers
    rule = None if group_by is None else parse_group_by(group_by)
    listing = list_photos(data, min_photos=0, visits=rule is not None and rule.kind == "folder")
    if rule is not None:
        visit_groups(listing, rule)  # so that a missing table is reported before the photos are read
    network = Network(DEFAULT_FAMILY, 1.0, size)  # no model was chosen yet, and no width changes a photo
    spec, tensor = preprocessing_for(network, "squash"), input_of(network)
    with progress.stage("reading photos", len(listing.photos)) as advance:
        photos = load_photos(listing, spec, tensor, folder, workers=workers, skip_unreadable=True, progress=advance)
    duplicates = group_duplicates(photos.hashes, photos.greys)
    visits = None if rule is None else visit_groups(photos.listing, rule)
    groups = duplicates if visits is None else join_groups(duplicates, visits.groups)
    if (crop_record := find_record(listing.root)) is not None:
        groups = join_groups(groups, source_groups(photos.listing, crop_record))
    try:
        splits, _ = assign_splits(photos.listing, groups, seed, conflicts(photos))
        refusal = None
    except DatasetError as error:
        splits, refusal = None, str(error)
    return examine(photos, duplicates, splits, visits=visits, refusal=refusal), photos


def _check_target(report: Path, data: Path, group_by: str | None, *, overwrite: bool) -> None:
    """Raise before any work if the page cannot be written to `report`, or would replace what is read."""
    from edge.bundle.write import check_outside
    from edge.storage import check_place, refuse_inputs
    from trainer.dataset.groups import parse_group_by

    if report.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"--report {report}: must end in .html")
    if report.is_dir() or not report.absolute().parent.is_dir():
        raise OutputExistsError(f"--report {report}: is a folder, or its folder does not exist: choose another place")
    if report.exists() and not overwrite:
        raise OutputExistsError(f"--report {report} exists: choose another name or add --overwrite")
    check_outside(report, option="--report")
    refuse_inputs(report, (data, None if group_by is None else parse_group_by(group_by).table), option="--report")
    check_place(report)

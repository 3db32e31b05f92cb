"""fieldfare dataset crop: cut training photos around boxes, as the device cuts its pictures."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.numbers import FloatRange
from edge.cli.streams import complain, echo, echo_json, quieten_opencv
from trainer.cli import options
from trainer.cli.before_work import begin_long_work, check_new_folder
from trainer.cli.packages import require
from trainer.pages.words import counted

if TYPE_CHECKING:
    from trainer.cropping.boxes import BoxFile, Entry, Unit
    from trainer.cropping.crop import Plan, Tally
    from trainer.cropping.matching import Matched


@click.command(
    short_help="Cut training photos around boxes, as the device does.",
    epilog="Example: fieldfare dataset crop my-photos --boxes megadetector.json --out parts  --  then: fieldfare "
    "train parts --out birds",
)
@click.argument("photos", type=click.Path(path_type=Path))
@click.option(
    "--boxes",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where things are: MegaDetector's JSON, COCO JSON, or CSV (docs/locating.md#prepare-training-photos).",
)
@click.option(
    "--detector",
    type=click.Path(path_type=Path),
    metavar="FILE.tflite",
    help="Or a model that finds them, as locate.model.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option(
    "--padding", type=FloatRange(0, 1), default=0.0, show_default=True, help="Around a box, as locate.padding."
)
@click.option(
    "--min-size",
    type=FloatRange(0, 0.5),
    default=0.025,
    show_default=True,
    help="Leave out boxes whose longer side is a smaller share of the photo's width, as locate.min_size.",
)
@click.option(
    "--threshold", type=FloatRange(0, 1), default=0.3, show_default=True, help="Leave out boxes of a lower score."
)
@click.option(
    "--most", type=click.IntRange(1, 1000), default=16, show_default=True, help="Of one photo, the surest boxes."
)
@click.option(
    "--category",
    "categories",
    multiple=True,
    help="Only boxes of this kind; several times for several.  [default: animal in MegaDetector's files, else all]",
)
@click.option(
    "--classes",
    type=click.Choice(["folders", "boxes"]),
    default="folders",
    show_default=True,
    help="What is the class of a part: the folder of its photo, or what its box shows.",
)
@click.option("--by-name", is_flag=True, help="Match photos by their file names alone, whatever their folders.")
@click.option("--stored", is_flag=True, help="Boxes are of the stored pictures, without the turn that EXIF names.")
@click.option(
    "--resize",
    type=click.Choice(["squash", "crop", "letterbox"]),
    default="squash",
    show_default=True,
    help="As in training later: with squash parts may be up to 16:9, else they are squares.",
)
@click.option(
    "--format", "form", type=click.Choice(["jpeg", "png"]), default="jpeg", show_default=True, help="Of the parts."
)
@options.workers("Threads that cut")
@click.option("--overwrite", is_flag=True, help="Replace the folder if it exists and was made by this command.")
@options.as_json
def crop(photos: Path, boxes: Path | None, detector: Path | None, out: Path, **given: Any) -> None:
    """Cut the PHOTOS around boxes into a new folder of parts, in the same class folders.

    A part is cut as the device cuts its pictures with [locate]. The folder holds a small file that records how, which
    training puts into the bundle. Photos without a box give no part. A photo that cannot be read is reported and the
    rest go on; the exit status is then 65.
    """
    require("cutting photos", "rich", "PIL")
    if (boxes is None) == (detector is None):
        raise click.UsageError("give one of --boxes and --detector")
    if detector is not None and (given["by_name"] or given["stored"] or given["categories"]):
        raise click.UsageError("--by-name, --stored and --category are for --boxes: leave them out")
    if detector is not None and given["classes"] == "boxes":
        raise click.UsageError("--classes boxes is for --boxes: a detector's classes are not read")
    quieten_opencv()
    begin_long_work()
    found = None if detector is None else _detect(photos, detector, given)
    _check(photos, out, (boxes, detector), overwrite=given["overwrite"])
    plan, wanted = _plan(photos, boxes, found, given)
    tally = _crop(plan, wanted, out, given)
    _report(tally, out, as_json=given["as_json"])


def _check(photos: Path, out: Path, inputs: tuple[Path | None, ...], *, overwrite: bool) -> None:
    """Raise before any work if the folder of parts cannot be written, or the photos are parts."""
    from edge.errors import DatasetError, OutputExistsError
    from trainer.dataset.layouts.nested import CROP_NAME
    from trainer.dataset.photo_folders import check_folder

    check_folder(photos)
    if (photos / CROP_NAME).exists():
        raise DatasetError(f"{photos}: holds parts of photos ({CROP_NAME}): give the folder of the whole photos")
    if overwrite and out.exists() and not (out / CROP_NAME).is_file():
        raise OutputExistsError(f"--out {out} holds no parts, so --overwrite leaves it alone: choose another name")
    check_new_folder(out, (photos, *inputs), overwrite=overwrite)


def _detect(photos: Path, detector: Path, given: dict[str, Any]) -> bytes:
    """Run the detector in a fork of this process, which has loaded no library yet."""
    from edge.cli import status_of
    from edge.errors import ModelError
    from edge.inference.model_limits import TIMEOUT_S
    from edge.portable.system import SIGALRM
    from edge.processes.fork import run_forked
    from edge.processes.process import describe_exit

    with tempfile.TemporaryDirectory(prefix="fieldfare-crop-") as folder:
        answer = Path(folder, "found")
        status = run_forked(lambda: status_of(lambda: answer.write_bytes(_found(photos, detector, given))))
        if status == -SIGALRM:
            raise ModelError(f"--detector {detector}: no answer within {TIMEOUT_S} s: not a usable model")
        if status < 0:
            raise ModelError(f"--detector {detector}: the process that ran it {describe_exit(status)}: damaged model")
        if status:
            raise click.exceptions.Exit(status)
        return answer.read_bytes()


def _found(photos: Path, detector: Path, given: dict[str, Any]) -> bytes:
    from trainer.cli.console import ConsoleProgress
    from trainer.cropping.finding import find_boxes
    from trainer.dataset.photo_folders import photos_in

    paths = photos_in(photos)
    with ConsoleProgress().stage("finding boxes", len(paths)) as advance:
        return find_boxes(detector, paths, threshold=given["threshold"], min_size=given["min_size"], advance=advance)


def _plan(
    photos: Path, boxes: Path | None, found: bytes | None, given: dict[str, Any]
) -> "tuple[Plan, list[tuple[Path, Entry | None]]]":
    """Return how to cut, and the boxes of each photo."""
    from edge.locating.cuts import cut_for
    from trainer.cropping.choosing import Wanted
    from trainer.cropping.crop import Plan
    from trainer.cropping.finding import entries_of
    from trainer.cropping.matching import match
    from trainer.cropping.reading import read_boxes
    from trainer.cropping.record import CropRecord
    from trainer.dataset.photo_folders import photos_in

    unit: Unit = "shares"
    paths, categories = photos_in(photos), None
    if boxes is None:
        known = entries_of(found or b"")
        entries = [known.get(path) for path in paths]
    else:
        file = read_boxes(boxes)
        categories = _categories(file, given["categories"], classes=given["classes"])
        matched = match(file, photos, paths, by_name=given["by_name"])
        _complain_of(matched, file.name)
        unit, entries = file.unit, list(matched.entries)
    wanted = Wanted(
        threshold=given["threshold"],
        min_size=given["min_size"],
        most=given["most"],
        categories=categories,
        stored=given["stored"],
    )
    cut = cut_for(given["resize"], padding=given["padding"], min_size=given["min_size"])
    plan = Plan(
        root=photos, unit=unit, wanted=wanted, record=CropRecord(cut=cut, classes=given["classes"]), form=given["form"]
    )
    return plan, list(zip(paths, entries, strict=True))


def _categories(file: "BoxFile", named: Sequence[str], *, classes: str) -> set[str] | None:
    """Return which categories count; None: all. Raises DatasetError if one of them cannot be a class, and is to."""
    from edge.errors import DatasetError
    from trainer.cropping.crop import check_categories

    if file.no_label and (named or classes == "boxes"):
        option = "--classes boxes" if classes == "boxes" else "--category"
        raise DatasetError(f"{option}: --boxes {file.name} {file.no_label}: add one that says what each box shows")
    if classes == "boxes":
        check_categories(sorted(set(named) or file.categories))
    elif not named and file.main is not None:
        return {file.main}
    if not named:
        return None
    for name in named:
        if name not in file.categories:
            known = ", ".join(map(repr, sorted(file.categories)[:10])) or "none"
            raise click.UsageError(f"--category {name!r}: --boxes {file.name} has {known}: name one of them")
    return set(named)


def _complain_of(matched: "Matched", name: str) -> None:
    if matched.ambiguous:
        complain(
            f"fieldfare: {counted(matched.ambiguous, 'photo')} could be several entries of --boxes {name}: left out"
        )
    if matched.left_over:
        are = "entry of --boxes {} is no photo" if matched.left_over == 1 else "entries of --boxes {} are no photos"
        complain(f"fieldfare: {matched.left_over} {are.format(name)} here")


def _crop(plan: "Plan", wanted: "list[tuple[Path, Entry | None]]", out: Path, given: dict[str, Any]) -> "Tally":
    from trainer.cli.console import ConsoleProgress
    from trainer.cropping.crop import crop as cut

    with ConsoleProgress().stage("cutting photos", len(wanted)) as advance:
        return cut(plan, wanted, out, workers=given["workers"], overwrite=given["overwrite"], advance=advance)


def _report(tally: "Tally", out: Path, *, as_json: bool) -> None:
    from edge.errors import DataError
    from edge.images import readable_name
    from trainer.cropping.crop import remarks

    if as_json:
        echo_json({"out": readable_name(out), **tally.figures()})
    else:
        cut_off = f", {counted(tally.cut_off, 'box', 'boxes')} cut off at an edge" if tally.cut_off else ""
        echo(f"{out}: {counted(tally.parts, 'part')} of {counted(tally.photos, 'photo')}{cut_off}")
        for line in remarks(tally):
            complain(f"fieldfare: {line}")
    if tally.unreadable or tally.failed:
        raise click.exceptions.Exit(DataError.exit_status)

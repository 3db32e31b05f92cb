"""fieldfare dataset group: unlabelled photos to groups."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edge.cli.apart import apart
from edge.cli.numbers import FloatRange
from edge.cli.streams import complain, echo, echo_json
from edge.errors import MissingInputError, OutputExistsError
from trainer.cli.beginning import begin_long_work
from trainer.cli.packages import require
from trainer.dataset.decode_limits import default_workers
from trainer.networks.families import MAX_SIZE, MIN_SIZE

if TYPE_CHECKING:
    from trainer.grouping.run import Answer, Request

_MOST_GROUPS = 10_000
_ISODATA = ("rounds", "pairs", "smallest", "spread", "distance", "start")


@click.command(
    epilog="Example: fieldfare dataset group /media/card --out sorted  --  docs/ten-thousand-photos.md goes from here "
    "to a trained bundle."
)
@click.argument("photos", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to make for the result.")
@click.option(
    "--method",
    type=click.Choice(["kmeans", "isodata", "hdbscan"]),
    default="kmeans",
    show_default=True,
    help="isodata changes the number of groups by splitting and merging; hdbscan leaves photos out as unsure.",
)
@click.option(
    "--groups",
    type=click.IntRange(1, _MOST_GROUPS),
    help="How many groups; for isodata about so many (its K), for hdbscan at most so many.  [default: by the "
    "silhouette]",
)
@click.option("--weights", metavar="imagenet|FILE", help="Network that sees the photos, *_no_top.h5.  [imagenet]")
@click.option("--alpha", type=FloatRange(0.1, 1.4), default=0.35, show_default=True, help="--weights: their width.")
@click.option(
    "--size",
    type=click.IntRange(MIN_SIZE, MAX_SIZE),
    default=224,
    show_default=True,
    help="--weights: input side in pixels.",
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    help="Name each group by the nearest class of this bundle, which sees the photos unless --weights is given.",
)
@click.option(
    "--judge", is_flag=True, help="Compare the groups with the class folders in PHOTOS, which are not used otherwise."
)
@click.option(
    "--photos",
    "bring",
    type=click.Choice(["links", "copies", "none"]),
    default="links",
    show_default=True,
    help="What the folders of the groups hold. Links lead nowhere once the card is out.",
)
@click.option("--by-visit", is_flag=True, help="Put each visit into a folder of its own, as --group-by folder wants.")
@click.option(
    "--gap",
    type=FloatRange(0, min_open=True),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="A visit ends when its camera takes no photo for so long.",
)
@click.option("--start", type=click.IntRange(1, _MOST_GROUPS), help="isodata: groups to begin with.  [default: K]")
@click.option("--rounds", type=click.IntRange(1, 1000), default=60, show_default=True, help="isodata: I.")
@click.option("--pairs", type=click.IntRange(1, 1000), default=3, show_default=True, help="isodata: P, merged at once.")
@click.option("--smallest", type=click.IntRange(1), default=5, show_default=True, help="isodata: THETA_N, photos.")
@click.option(
    "--spread", type=FloatRange(0), default=1.0, show_default=True, help="isodata: THETA_S, times the median spread."
)
@click.option(
    "--distance",
    type=FloatRange(0),
    default=0.9,
    show_default=True,
    help="isodata: THETA_C, times the median distance between centres.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Random seed.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=default_workers,
    help="Processes that decode photos.  [default: all cores, fewer if memory is short]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output instead of text.")
def group(photos: Path, out: Path, as_json: bool, **given: Any) -> None:
    """Put the photos in PHOTOS, and in the folders below it, into groups that look alike.

    No labels are needed. OUT gets groups.csv, groups.html with contact sheets, and a folder of photos for each group.
    PHOTOS is not changed.
    """
    require("grouping photos", "rich", "scipy", "sklearn", "PIL", "jinja2")
    _check_options(given["method"])
    # Only a bundle brings a model along that may be a stranger's.
    work = _group if given["bundle"] is None else apart("bundle")(_group)
    work(photos=photos, out=out, as_json=as_json, **given)


def _group(photos: Path, out: Path, as_json: bool, **given: Any) -> None:
    begin_long_work()
    from trainer.cli.console import ConsoleProgress
    from trainer.grouping.run import run

    _check_target(out, photos, given)
    answer = run(_request(photos, out, given), ConsoleProgress())
    for note in answer.notes:
        complain(f"fieldfare: {note}")
    if as_json:
        echo_json(answer)
    else:
        _show(answer)


def _check_options(method: str) -> None:
    """Raise UsageError if a parameter of ISODATA is given to another method, which would not heed it."""
    source = click.get_current_context().get_parameter_source
    given = [name for name in _ISODATA if source(name) is ParameterSource.COMMANDLINE]
    if given and method != "isodata":
        raise click.UsageError(f"--{given[0]} belongs to --method isodata: add that, or leave it out")


def _check_target(out: Path, photos: Path, given: dict[str, Any]) -> None:
    """Raise before any work if OUT cannot be made, or would change what is read."""
    from edge.bundle.write import check_outside
    from edge.storage import check_place, refuse_inputs

    if not photos.is_dir():
        raise MissingInputError(f"{photos}: no such folder: give a folder with photos")
    if os.path.lexists(out):
        raise OutputExistsError(f"{out} exists: choose another name")
    check_outside(out)
    weights = given["weights"]
    named = None if weights in (None, "imagenet") else Path(weights)
    refuse_inputs(out, (photos, given["bundle"], named))
    check_place(out)


def _request(photos: Path, out: Path, given: dict[str, Any]) -> "Request":
    from edge.bundle.store import open_bundle
    from trainer.grouping.group import Wishes
    from trainer.grouping.methods.isodata import Isodata
    from trainer.grouping.run import Request

    numbers = {name: given[name] for name in _ISODATA}
    return Request(
        photos=photos,
        out=out,
        wishes=Wishes(given["method"], given["groups"], given["seed"], given["gap"], Isodata(1, **numbers)),
        bundle=None if given["bundle"] is None else open_bundle(given["bundle"]),
        weights=given["weights"],
        alpha=given["alpha"],
        size=given["size"],
        judge=given["judge"],
        bring=given["bring"],
        by_visit=given["by_visit"],
        workers=given["workers"],
    )


def _show(answer: "Answer") -> None:
    """Print the result for people."""
    echo(f"{answer.photos:,} photos, {answer.different:,} of them different, in {answer.groups} groups")
    if answer.unsure:
        echo(f"{answer.unsure:,} photos are in no group: see the folder unsure")
    if answer.silhouette is not None:
        echo(f"silhouette {answer.silhouette:.2f}")
    if answer.nmi is not None:
        echo(f"compared with the class folders: NMI {answer.nmi:.3f}, ARI {answer.ari:.3f}, purity {answer.purity:.3f}")
    echo(f"look at {answer.page}")

"""fieldfare dataset group: unlabelled photos to groups."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edge.cli import options as edge_options
from edge.cli.apart import apart
from edge.cli.network_options import network_options
from edge.cli.numbers import FloatRange
from edge.cli.streams import complain, echo, echo_json
from trainer.cli import options
from trainer.cli.before_work import begin_long_work, check_new_folder, weights_file
from trainer.cli.packages import require
from trainer.pages.words import counted

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
@network_options(
    # Not one or the other here: the network of general weights may tell new kinds better apart than the bundle's own.
    bundle="Name each group by the nearest class of this bundle, whose network also looks at the photos unless "
    f"--weights is given. {edge_options.BUNDLE}",
    default="imagenet, if no bundle is given",
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
@click.option(
    "--smallest", type=click.IntRange(1), help="isodata: THETA_N, photos.  [default: 5, fewer for many groups]"
)
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
@options.seed
@options.workers()
@options.as_json
@apart("bundle")
def group(photos: Path, out: Path, as_json: bool, **given: Any) -> None:
    """Put the photos in PHOTOS, and in the folders below it, into groups that look alike.

    No labels are needed. OUT gets groups.csv, groups.html with contact sheets, and a folder of photos for each group.
    PHOTOS is not changed.
    """
    by_bundle = given["bundle"] is not None and given["weights"] is None
    require("grouping photos", "rich", "scipy", "sklearn", "PIL", "jinja2", *(() if by_bundle else ("tensorflow",)))
    _check_options(given["method"])
    from trainer.dataset.photo_folders import check_folder

    check_folder(photos)
    check_new_folder(out, (photos, given["bundle"], weights_file(given["weights"])))
    begin_long_work()
    from trainer.cli.console import ConsoleProgress
    from trainer.grouping.run import run

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
    photos, groups = counted(answer.photos, "photo"), counted(answer.groups, "group")
    echo(f"{photos}, {answer.different:,} of them different, in {groups}")
    if answer.unsure:
        are = "is" if answer.unsure == 1 else "are"
        echo(f"{counted(answer.unsure, 'photo')} {are} in no group: see the folder unsure")
    if answer.silhouette is not None:
        echo(f"silhouette {answer.silhouette:.2f}")
    if answer.nmi is not None:
        echo(f"compared with the class folders: NMI {answer.nmi:.3f}, ARI {answer.ari:.3f}, purity {answer.purity:.3f}")
    echo(f"look at {answer.page}")

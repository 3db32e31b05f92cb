"""fieldfare dataset pick, fieldfare dataset spread: which photos to label next; labels carried to photos like them."""

from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edge.cli.apart import apart
from edge.cli.network_options import network_options, with_options
from edge.cli.numbers import FloatRange
from edge.cli.streams import echo, echo_json
from trainer.cli import options
from trainer.cli.before_work import begin_long_work, check_new_folder, weights_file
from trainer.cli.csv_table import echo_csv
from trainer.cli.packages import require
from trainer.pages.words import clean, counted

if TYPE_CHECKING:
    from edge.bundle.store import Bundle
    from edge.embedding.source import FeatureSource
    from trainer.picking.pick import Picked
    from trainer.picking.spread import Spread

# So many right answers without a mistake show 90 %, with 90 % confidence; fewer do not.
_FEW = 15

_common = with_options(
    network_options(default="imagenet, if no bundle is given"),
    click.option("--copy", is_flag=True, help="Copy the photos instead of making links to them."),
    options.seed,
    options.workers(),
    options.as_json,
)


@click.command(
    epilog="Examples: fieldfare dataset pick card -n 100 --out to-label  --  fieldfare dataset pick card -n 100 "
    "--labelled my-photos --bundle birds --out to-label"
)
@click.argument("photos", type=click.Path(path_type=Path))
@click.option("-n", "count", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="How many.")
@click.option(
    "--labelled",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Photos that have labels already, in class folders: none of these, nor of what is nearly the same, is picked.",
)
@click.option("--explore", is_flag=True, help="Pick typical photos, unlike those labelled: for classes yet unknown.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="A new folder for links to the photos.")
@_common
@apart("bundle")
def pick(
    photos: Path, count: int, labelled: Path | None, explore: bool, out: Path | None, copy: bool, **given: Any
) -> None:
    """Pick the photos in PHOTOS that are most worth a label.

    As long as nothing has a label: typical ones, each of another group of photos that look alike. With --labelled and
    two class folders in it, or with --bundle: those whose class is in doubt and that differ from each other; with
    --explore, typical ones of groups in which nothing has a label yet.
    Near-duplicates count once. Prints a table, or puts links and the table into the folder --out, to be sorted into
    class folders by hand.
    """
    if given["bundle"] is not None and given["weights"] is not None:
        raise click.UsageError("--bundle and --weights exclude each other: give one")
    if explore and given["bundle"] is not None:
        raise click.UsageError("--explore and --bundle exclude each other: a bundle finds what is in doubt")
    _prepare((photos, labelled), out, copy=copy, **given)
    from trainer.cli.console import ConsoleProgress
    from trainer.picking.answers import BundleAnswers
    from trainer.picking.pick import PICKED, rows_of, write_picked
    from trainer.picking.pick import pick as run

    bundle, progress = _bundle(given), ConsoleProgress()
    source = _network(None, given) if bundle is None else BundleAnswers(bundle)
    picked = run(
        photos,
        count,
        source,
        labelled=labelled,
        explore=explore,
        seed=given["seed"],
        workers=given["workers"],
        progress=progress,
    )
    if out is not None:
        write_picked(out, picked, copy=copy, progress=progress)
    if given["as_json"]:
        echo_json(_json(picked))
    elif out is None:
        echo_csv(rows_of(picked))
    else:
        echo(clean(f"{out}: {counted(len(picked.rows), 'photo')} to label, and {PICKED}; by {source.name}"))


def _json(picked: "Picked") -> dict[str, object]:
    return {
        "photos": picked.photos,
        "different": picked.different,
        "labelled": picked.labelled,
        "unreadable": picked.unreadable,
        "picked": picked.rows,
    }


@click.command(
    epilog="Examples: fieldfare dataset spread my-photos card --out more  --  fieldfare dataset spread my-photos card "
    "--bundle first --weights imagenet --alpha 1.0 --out more"
)
@click.argument("labelled", type=click.Path(path_type=Path))
@click.argument("photos", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    required=True,
    help="A new folder for class folders of links: the photos of LABELLED, and those that got a label.",
)
@click.option(
    "--precision",
    type=FloatRange(0.5, 1, min_open=True, max_open=True),
    default=0.9,
    show_default=True,
    help="The share of the carried labels that can be expected to be right; less sure ones are not given.",
)
@_common
@apart("bundle")
def spread(labelled: Path, photos: Path, out: Path, precision: float, copy: bool, **given: Any) -> None:
    """Carry the labels of the few photos in LABELLED to those of the many in PHOTOS that are like them.

    LABELLED is as for `fieldfare train`: a folder of photos for each class, or train, val and test folders of those.
    How often carried labels are right is measured on the labelled photos. `fieldfare train` gives the carried ones less
    weight and never tests on them.
    With --bundle and --weights both networks look: a bundle that was trained on LABELLED, beside wider weights, finds
    the most.
    """
    _prepare((labelled, photos), out, copy=copy, **given)
    from trainer.cli.console import ConsoleProgress
    from trainer.picking.lessons import learned_by
    from trainer.picking.spread import spread as run
    from trainer.picking.spread import write_labels

    bundle, progress = _bundle(given), ConsoleProgress()
    labels = run(
        labelled,
        photos,
        _network(bundle, given),
        learned=None if bundle is None else learned_by(bundle),
        precision=precision,
        seed=given["seed"],
        workers=given["workers"],
        progress=progress,
    )
    write_labels(out, labels, photos, copy=copy, progress=progress)
    if given["as_json"]:
        echo_json(labels.figures)
    else:
        _show(labels.figures, out, trained=given["bundle"] is not None, beside=given["weights"] is not None)


def _show(figures: "Spread", out: Path, *, trained: bool, beside: bool) -> None:
    echo(clean(f"{out}: {figures.accepted:,} of {counted(figures.photos, 'photo')} got a label:"))
    for name, count in figures.classes.items():
        echo(clean(f"  {name}: {count:,}"))
    as_sure = f"{figures.reached:,} were as sure as these ({figures.threshold:g}), and " if figures.threshold else ""
    echo(
        f"Of {counted(figures.tested, 'labelled photo')} that lost their label for a test, {as_sure}{figures.right:,} "
        f"{'of those ' if as_sure else ''}got the right one: that shows "
        # Cut, not rounded: 89.9 % do not show 90.
        f"{floor(figures.at_least * 100)} % or more, with 90 % confidence."
    )
    if figures.reached and figures.precision < figures.promised:
        echo(
            f"Fewer of those were right than the {figures.promised * 100:g} % to be expected of all that got a label: "
            "picked photos are harder than the rest. If yours were not picked, look through the least sure labels."
        )
    if figures.reached < _FEW:
        echo(f"Only {counted(figures.reached, 'photo')} to judge by: label more, and look through what got a label.")
    if figures.learned:
        of_them = f"{figures.learned:,} of these {counted(figures.tested, 'labelled photo')}"
        judge = "was measured with the weights alone" if beside else "is an estimate of its network"
        echo(f"The bundle learned from {of_them}: that test was too easy. How sure labels are {judge}.")
    if figures.learned_others:
        echo(
            f"It also learned from {counted(figures.learned_others, 'photo')} or more of those without labels, and is "
            "surer of these than it should be: give a bundle of the labelled photos alone."
        )
    if trained and not figures.learned and not beside:
        echo("If the bundle learned from the labelled photos, that test was too easy, and fewer are right.")


def _prepare(
    read: tuple[Path | None, ...],
    out: Path | None,
    *,
    copy: bool,
    bundle: Path | None,
    weights: str | None,
    **_: object,
) -> None:
    """Raise before any work if the options do not fit together, or the folder cannot be written."""
    require("labelling", "rich", "scipy", "sklearn", "PIL", *(() if bundle and not weights else ("tensorflow",)))
    from trainer.dataset.photo_folders import check_folder

    if bundle is not None and weights is None:
        for name in ("alpha", "size"):
            if click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE:
                raise click.UsageError(f"--{name} is for --weights: give these, too, or leave it out")
    if copy and out is None:
        raise click.UsageError("--copy is for --out: add it, or leave --copy out")
    if out is not None:
        check_new_folder(out, (*read, bundle, weights_file(weights)))
    for folder in filter(None, read):
        check_folder(folder)
    begin_long_work()


def _bundle(given: dict[str, Any]) -> "Bundle | None":
    """Open the bundle, if one is given."""
    from edge.bundle.store import open_bundle

    return None if given["bundle"] is None else open_bundle(given["bundle"])


def _network(bundle: "Bundle | None", given: dict[str, Any]) -> "FeatureSource":
    """Open the bundle's network, that of the weights, or if both are given both."""
    from trainer.features.opening import open_network
    from trainer.picking.two_networks import TwoNetworks

    weights = given["weights"], given["alpha"], given["size"]
    if bundle is None or given["weights"] is None:
        return open_network(bundle, *weights)
    return TwoNetworks(open_network(bundle, None, *weights[1:]), open_network(None, *weights))

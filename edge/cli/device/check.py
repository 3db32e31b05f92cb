"""fieldfare device check: can this version work with what is on the device?"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli.streams import echo
from edge.printable import printable

if TYPE_CHECKING:
    from edge.config.settings import Settings


@click.command(epilog="Example: fieldfare device check /etc/fieldfare/fieldfare.toml")
@click.argument("settings", type=click.Path(path_type=Path))
@click.option(
    "--instead",
    nargs=2,
    type=click.Path(path_type=Path),
    metavar="PLACE FILE",
    help="Take the bundle FILE if the settings name PLACE: it will be there.",
)
def check(settings: Path, instead: tuple[Path, Path] | None) -> None:
    """Check that this version can read SETTINGS, the bundle and the events that they name.

    It opens no camera and runs no model; `fieldfare doctor` does. A bundle or a store that is not there is no
    fault: the service waits for the one and makes the other.
    """
    from edge.config.loading import check_sendable, load_settings

    read = load_settings(settings)
    check_sendable(read)
    _check_bundle(read, instead)
    if read.events.store is not None:
        _check_store(Path(read.events.store))
    echo(f"{printable(str(settings))}: as it must be")


def _check_bundle(settings: "Settings", instead: tuple[Path, Path] | None) -> None:
    from edge.bundle.store import open_bundle
    from edge.errors import MissingInputError
    from edge.events.labels import check_labels

    place = Path(settings.bundle)
    try:
        bundle = open_bundle(instead[1] if instead is not None and place == instead[0] else place)
    except MissingInputError as error:
        echo(f"{error}: the service will wait for it")
        return
    check_labels(settings, bundle.labels)


def _check_store(path: Path) -> None:
    """Raise NewerStoreError if only a newer version can read the store. What else may be wrong, the recorder mends."""
    from edge.errors import FieldfareError
    from edge.store.faults import NewerStoreError
    from edge.store.reading import StoreReader

    try:
        StoreReader(path).close()
    except NewerStoreError:
        raise
    except FieldfareError as error:
        echo(str(error))

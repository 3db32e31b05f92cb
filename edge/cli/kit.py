"""fieldfare kit: make all that a device needs, to be carried there on a stick."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli import options
from edge.cli.streams import complain, echo, echo_json
from edge.kit.targets import NO_KIT, TARGETS
from edge.printable import counted

if TYPE_CHECKING:
    from edge.installing.origins.kit import Kit
    from edge.kit.build import Made

_PATH = click.Path(path_type=Path)
# Of a wheel's name, so that a line of 80 characters holds it.
_SHOWN = 30


@click.group(epilog="Example: fieldfare kit build --target trixie-arm64 --bundle birds --out kit.tar")
def kit() -> None:
    """Make a kit for a device without a network, and look into one."""


@kit.command(
    short_help="Make a kit.",
    epilog="Example: fieldfare kit build --target trixie-arm64 --bundle birds --out /media/stick",
)
@click.option("--target", required=True, help=f"The device's system: {', '.join(TARGETS)}.")
@click.option("--bundle", type=_PATH, required=True, help=options.BUNDLE)
@click.option("--config", type=_PATH, help="Settings file for the device.  [default: as delivered]")
@click.option("--debs", type=_PATH, help="A folder of .deb files for the device, to go along.")
@click.option("--wheels", type=_PATH, help="A folder that keeps what was fetched, so that it is not fetched again.")
@click.option("--out", type=_PATH, required=True, metavar="FILE.tar|FOLDER", help="Where to write the kit.")
@click.option("--closed-places", is_flag=True, help="Take places that only a drop-in of yours opens on the device.")
@click.option("--overwrite", is_flag=True, help="Replace the kit if it exists.")
def build(target: str, closed_places: bool, **given: Any) -> None:
    """Make a kit: Fieldfare, its libraries for the device's system, the bundle, settings and systemd's files.

    Bundle and settings are checked here as the device will do it. On the device nothing is downloaded:
    `sudo sh install.sh` in the kit installs it. If --out is a folder that exists, such as a stick, the kit is its
    folder fieldfare-kit.
    """
    from edge.kit.build import Order, build_kit
    from edge.kit.lock import read_lock
    from edge.kit.writing import fault_of_name

    if target not in TARGETS:
        known = f"no kit: {NO_KIT[target]}" if target in NO_KIT else f"must be one of {', '.join(TARGETS)}"
        raise click.UsageError(f"--target {target[:80]}: {known}")
    if (fault := fault_of_name(given["out"])) is not None:
        raise click.UsageError(f"--out {given['out']}: {fault}")
    order = Order(target=TARGETS[target], closed_allowed=closed_places, **given)
    with click.progressbar(
        length=2 * len(read_lock(order.target)),
        label="kit",
        item_show_func=_short,
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    ) as bar:
        made = build_kit(order, lambda name: bar.update(1, name))
    _report(made)


def _short(name: str | None) -> str:
    return Path(name or "").name[:_SHOWN]


def _report(made: "Made") -> None:
    _describe(made.kit, str(made.place), made.size)
    if made.lacks:
        echo(f"needs on the device, and does not bring: {', '.join(made.lacks)} (sudo apt install, or --debs)")
    for note in made.notes:
        complain(f"fieldfare: note: {note}")
    script = "install.sh" if made.place.is_dir() else "fieldfare-kit/install.sh"
    unpack = "" if made.place.is_dir() else f"tar -xf {made.place.name} && "
    echo(f"on the device: {unpack}sudo sh {script}")


@kit.command(short_help="Check a kit, and show what it is.", epilog="Example: fieldfare kit show kit.tar")
@click.argument("path", metavar="KIT", type=_PATH)
@options.as_json
def show(path: Path, as_json: bool) -> None:
    """Check every byte of the KIT (a tar or a folder), and show what it is.

    Status 0 if it is whole, 65 if it is damaged, copied in part or no kit, 66 if there is none.
    """
    from edge.kit.reading import open_kit

    found, size = open_kit(path)
    if as_json:
        echo_json({"kit": json.loads(found.data), "size": size})
        return
    _describe(found, str(path), size)
    if found.needs:
        echo(f"needs of the device's system: {', '.join(found.needs)}")
    echo("every file matches its SHA-256")


def _describe(found: "Kit", path: str, size: int) -> None:
    wheels, debs = (sum(name.endswith(ending) for name in found.files) for ending in (".whl", ".deb"))
    echo(f"{path}: {size / 1e6:.1f} MB, {counted(wheels, 'wheel')}, {counted(debs, 'Debian package')}, kit {found.id}")
    echo(
        f"Fieldfare {found.version} for {found.target}: Debian or Raspberry Pi OS {found.os_release}, {found.machine}, "
        f"Python {found.python}"
    )
    echo(f"bundle {found.bundle}")

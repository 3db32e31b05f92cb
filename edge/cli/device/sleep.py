"""fieldfare device sleep and wake: everything on the disk before the power is cut, and on again."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli.numbers import FloatRange
from edge.cli.status import RUN, places
from edge.cli.streams import complain, echo
from edge.errors import FieldfareError, StorageError, UnavailableError
from edge.printable import counted, one_line
from edge.storage import replace_file

if TYPE_CHECKING:
    from edge.supervision.status import Status

# The recorder may take 25 s, and then the system 60 s to write what it holds back.
_PATIENCE_S = 120.0
_LOOK_S = 0.2
# After so long people must know for what they wait.
_QUIET_S = 2.0
_OFF_S = 30.0

_run_dir = click.option(
    "--run-dir",
    type=click.Path(path_type=Path),
    default=RUN,
    show_default=True,
    help="The folder in which the service keeps its status.",
)


@click.command(epilog="Example: sudo fieldfare device sleep --off")
@click.option("--off", is_flag=True, help="Then switch the system off.")
@click.option(
    "--wait",
    "patience_s",
    type=FloatRange(1, 3600),
    default=_PATIENCE_S,
    show_default=True,
    help="Seconds to wait at most.",
)
@_run_dir
def sleep(*, off: bool, patience_s: float, run_dir: Path) -> None:
    """Have the service, and all its instances, write everything and rest. Then the power may be cut.

    They rest until `fieldfare device wake`, or until the system starts again.

    Exit status: 0 once everything is on the disk, 74 if something cannot be written, 69 if the service does not
    answer; then nothing is switched off.
    """
    folders = [file.parent for file in places(run_dir, None)]
    for folder in folders:
        _order(folder)
    began_s, shown = time.monotonic(), False
    while open_ones := [error for folder in folders if (error := _open(folder, began_s)) is not None]:
        waited_s = time.monotonic() - began_s
        if waited_s > patience_s:
            raise open_ones[0]
        if waited_s > _QUIET_S and not shown:
            shown = True
            complain(f"waiting: {open_ones[0]}")
        time.sleep(_LOOK_S)
    os.sync()  # what others have written, too
    echo("everything is on the disk" + ("" if off else "; `fieldfare device wake` goes on"))
    if off:
        _switch_off()


@click.command(epilog="Example: sudo fieldfare device wake")
@_run_dir
def wake(*, run_dir: Path) -> None:
    """Take `fieldfare device sleep` back: the service goes on."""
    from edge.supervision.systemd import SLEEP

    for file in places(run_dir, None):
        _with_rights(file.parent, lambda folder: (folder / SLEEP).unlink(missing_ok=True))
    echo("awake")


def _order(folder: Path) -> None:
    from edge.supervision.systemd import SLEEP

    _with_rights(folder, lambda place: replace_file(place / SLEEP, b"", 0o644, synced=False))


def _with_rights(folder: Path, work: Callable[[Path], object]) -> None:
    try:
        work(folder)
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror or error}: run it with sudo") from error


def _open(folder: Path, ordered_s: float) -> FieldfareError | None:
    """Return what is not on the disk yet; None if all is, or if the service has ended. ordered_s: monotonic; what the
    service reported before does not count."""
    from edge.supervision.status import read

    seen = read(folder / "status.json")
    if seen.state in ("failed", "stopped") or (seen.at_rest and seen.updated_mono_s >= ordered_s):
        return None
    if not seen.is_alive():
        return UnavailableError(f"{folder}: the service does not answer: systemctl status fieldfare")
    return StorageError(f"{folder}: not everything is on the disk: {_words(seen)}")


def _words(seen: "Status") -> str:
    events = seen.events
    if events is None or not events.waiting:
        return one_line(seen.why)
    fault = f": {events.fault}" if events.fault is not None else ""
    return one_line(f"{counted(events.waiting, 'event or frame', 'events or frames')} not written{fault}")


def _switch_off() -> None:
    from edge.processes.process import Command
    from edge.processes.run import run

    try:
        status = run(Command(["systemctl", "--no-block", "poweroff"]), _OFF_S).status
    except OSError:  # no systemd here
        status = -1
    if status != 0:
        raise UnavailableError("the system cannot be switched off: run it with sudo, or switch it off by hand")

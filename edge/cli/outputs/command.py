"""fieldfare outputs: send events to where the settings name."""

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from edge.cli.given import refuse_given
from edge.cli.streams import echo

if TYPE_CHECKING:
    from edge.config.settings import Settings

_STATUS = Path("/run/fieldfare/status.json")


@click.command(
    short_help="Send events to MQTT, Prometheus, a file, a program or a pin.",
    epilog="Example: fieldfare outputs --config fieldfare.toml",
)
@click.option("--config", type=click.Path(path_type=Path), required=True, help="Settings file (TOML).")
@click.option(
    "--status-file",
    type=click.Path(path_type=Path),
    default=_STATUS,
    show_default=True,
    help="Where the service reports its state.",
)
@click.option(
    "--remove-discovery",
    is_flag=True,
    help="Remove this device from Home Assistant and its retained messages from the broker, and end.",
)
@click.pass_context
def outputs(context: click.Context, /, config: Path, status_file: Path, *, remove_discovery: bool) -> None:
    """Send events from the store to MQTT, Prometheus, a file, a program or a pin, until SIGTERM or Ctrl-C.

    Each output of the settings goes on where it was, and none waits for another. The service runs this in a unit of
    its own, fieldfare-outputs, which alone may have the network.
    """
    from edge.config.loading import check_places, load_settings
    from edge.events.device import device_name

    if remove_discovery:
        refuse_given(context, "status_file", because="--remove-discovery reads no status: leave it out")
    settings = load_settings(config)
    check_places(settings, config)
    state = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    device = device_name(settings.device, Path(state) if state else None)
    if remove_discovery:
        _remove(settings, device)
    else:
        _run(settings, device, status_file)


def _run(settings: "Settings", device: str, status_file: Path) -> None:
    from edge.cli.outputs.report import OutputsReport, places_of
    from edge.outputs.main import LOOK_S, follow
    from edge.outputs.service import Outputs, Places
    from edge.processes.logs import log_to_stderr
    from edge.supervision.systemd import SystemdNotifier

    log_to_stderr()
    memory = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    running = Outputs(settings, device, Places(status_file, Path(memory) if memory else None))
    stop, notifier = threading.Event(), SystemdNotifier()
    report = OutputsReport(places_of(settings), time.monotonic())

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)

    def pulse() -> None:
        notifier.ready(running.summary)
        notifier.alive(running.summary)
        report.look(running.states(), time.monotonic())

    follow(running, lambda: stop.wait(LOOK_S), pulse)
    notifier.stopping()


def _remove(settings: "Settings", device: str) -> None:
    from edge.errors import ConfigError
    from edge.outputs.mqtt.memory import read_known
    from edge.outputs.mqtt.removal import remove_device
    from edge.outputs.service import known_file
    from edge.store.files import located

    if settings.mqtt is None:
        raise ConfigError("mqtt is missing: --remove-discovery needs the broker's address in [mqtt]")
    store = settings.events.store
    known = None if store is None else read_known(known_file(located(Path(store))))
    removed = remove_device(settings.mqtt, device, known)
    echo(f"removed {removed} retained messages of {device} from {settings.mqtt.host}")

"""fieldfare outputs: send events to where the settings name."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from edge.cli.given import refuse_given
from edge.cli.streams import echo

if TYPE_CHECKING:
    from edge.config.settings import Settings
    from edge.supervision.systemd import SystemdNotifier

_log = logging.getLogger(__name__)

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
    if remove_discovery:
        _remove(settings, device_name(settings.device, _state()))
    else:
        _run(config, settings, status_file)


def _run(config: Path, settings: "Settings", status_file: Path) -> None:
    """Run them until SIGTERM; after SIGHUP with other settings, if those are sound."""
    from edge.errors import FieldfareError
    from edge.outputs.main import LOOK_S
    from edge.printable import one_line
    from edge.processes.logs import keep_problems, log_to_stderr
    from edge.supervision.systemd import SystemdNotifier

    log_to_stderr()
    keep_problems(_memory())
    stop, changed, notifier = threading.Event(), threading.Event(), SystemdNotifier()
    proven: Settings | None = None  # those that ran

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    if not sys.stdin.isatty():  # by hand, it is the terminal that closes
        signal.signal(signal.SIGHUP, lambda *_: changed.set())
    while not stop.is_set():
        # What an output has not sent is behind its cursor, so the next ones go on where these end.
        try:
            before, settings = (
                settings,
                _serve(config, settings, status_file, notifier, lambda: stop.wait(LOOK_S), changed),
            )
            proven = before
        except FieldfareError as error:
            if proven is None or settings == proven:
                raise
            # Such as settings that are right, and a library for them that is not there.
            _log.error("settings refused, those before are in use again: %s", one_line(str(error)))
            settings = proven
    notifier.stopping()


def _serve(
    config: Path,
    settings: "Settings",
    status_file: Path,
    notifier: "SystemdNotifier",
    ends: Callable[[], bool],
    changed: threading.Event,
) -> "Settings":
    """Run the outputs of these settings until `ends`, or until there are others; return those to go on with."""
    from edge.cli.outputs.report import OutputsReport, places_of
    from edge.events.device import device_name
    from edge.outputs.main import follow
    from edge.outputs.service import Outputs, Places

    running = Outputs(settings, device_name(settings.device, _state()), Places(status_file, _memory()))
    report, new = OutputsReport(places_of(settings), time.monotonic()), settings

    def pulse() -> None:
        notifier.ready(running.summary)
        notifier.alive(running.summary)
        report.look(running.states(), time.monotonic())

    def is_over() -> bool:
        nonlocal new
        if ends():
            return True
        if changed.is_set():
            changed.clear()
            notifier.reloading()
            new = _read_again(config, settings)
            notifier.reloaded(running.summary)
        return new != settings

    follow(running, is_over, pulse)
    return new


def _read_again(config: Path, settings: "Settings") -> "Settings":
    """Return the settings anew; those in use if the new ones are wrong, with a line for each fault in the log."""
    from edge.config.loading import check_places, load_settings
    from edge.errors import ConfigError, FieldfareError
    from edge.outputs.service import SECTIONS
    from edge.printable import one_line

    try:
        new = load_settings(config)
        check_places(new, config)
        if not any(getattr(new, name) is not None for name in SECTIONS):
            raise ConfigError("no output is set any more: sudo systemctl stop fieldfare-outputs")
    except FieldfareError as error:
        _log.error("settings refused, those before stay in use: %s", one_line(getattr(error, "heading", str(error))))
        for fault in getattr(error, "faults", ()):
            _log.error("  %s", one_line(fault))
        return settings
    _log.info("settings read again: %s", "nothing has changed" if new == settings else "other ones")
    return new


def _state() -> Path | None:
    return _path(os.environ.get("STATE_DIRECTORY", "").split(":")[0])


def _memory() -> Path | None:
    return _path(os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0])


def _path(text: str) -> Path | None:
    return Path(text) if text else None


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

"""fieldfare run: the device program."""

import logging
import os
import platform
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge import __version__
from edge.errors import ConfigError

if TYPE_CHECKING:
    from edge.supervision.supervisor import Place, Supervisor

_log = logging.getLogger(__name__)


@click.command(epilog="Example: fieldfare run --bundle birds --source /dev/video0 --json")
@click.option("--config", type=click.Path(path_type=Path), help="Settings file (TOML); options override it.")
@click.option("--bundle", help="Bundle: a directory or a .fieldfare file.")
@click.option(
    "--source", help="A folder, a picture or video file, /dev/videoN, picamera2[:N], a stream's URL or synthetic."
)
@click.option("--size", metavar="WxH", help="Frame size to ask the camera for.  [default: 640x480]")
@click.option("--fps", type=float, help="Frames a second; folders without it are replayed flat out.")
@click.option("--flat-out", is_flag=True, help="Replay as fast as possible, every frame classified.")
@click.option("--loop", is_flag=True, help="Begin a replay again after its last frame.")
@click.option("--frames", type=click.IntRange(min=1), help="Stop after this many.")
@click.option("--runtime", help="auto, litert or tflite-runtime.  [default: auto]")
@click.option("--device", help="auto, cpu, any, usb[:N], pci[:N], or an Edge TPU's place.  [default: auto]")
@click.option("--threads", type=int, help="CPU threads for inference.  [default: 2]")
@click.option("--threshold", type=float, help="Best scores under it are 'unknown'.  [default: the bundle's]")
@click.option("--smoothing", type=float, help="Share of the past in each score, 0 to under 1.  [default: 0]")
@click.option("--top", type=int, help="How many candidates to report.  [default: 3]")
@click.option("--jsonl", help="Also write JSON lines to this file, rotated at 64 MB.")
@click.option("--quiet", is_flag=True, help="No results on standard output.")
@click.option("--service", is_flag=True, help="Never give up: wait for a camera that is not there yet.")
@click.option("--json", "json_lines", is_flag=True, help="JSON lines on standard output.")
def run(config: Path | None, size: str | None, frames: int | None, **options: Any) -> None:
    """Classify what a camera sees, until Ctrl-C, SIGTERM or the end of a replay.

    Live decisions go to the terminal, or with --json one object a line to standard output. Everything else
    that there is to say goes to standard error.
    """
    from edge.capture.script import keep_clock
    from edge.cli.outputs import build_sinks
    from edge.supervision.supervisor import Supervisor
    from edge.supervision.systemd import SystemdNotifier

    settings = _settings(config, size, options)
    _log_to_stderr()
    keep_clock()
    with ExitStack() as stack:
        sinks = build_sinks(settings.output, json_lines=options["json_lines"], patient=options["service"])
        for sink in sinks:
            stack.callback(sink.close)
        supervisor = Supervisor(
            settings, sinks, SystemdNotifier(), _place(), service=options["service"], max_frames=frames
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _: _stop(supervisor, received))
        _log.info("fieldfare %s, Python %s", __version__, platform.python_version())
        status = supervisor.run()
    if supervisor.complaint is not None:
        click.echo(f"fieldfare: {' '.join(supervisor.complaint.split())}", err=True)
    if supervisor.complaint is None or supervisor.tally.results:
        _log.info("%s", supervisor.tally.line(supervisor.status.counts.dropped))
    if status:
        raise click.exceptions.Exit(status)


def _place() -> "Place":
    """systemd names the folders in the environment; by hand there are none, so no status file."""
    from edge.supervision.supervisor import Place

    run, state = os.environ.get("RUNTIME_DIRECTORY"), os.environ.get("STATE_DIRECTORY")
    return Place(*(Path(text.split(":")[0]) if text else None for text in (run, state)))


def _stop(supervisor: "Supervisor", received: int) -> None:
    """End after the current frame; a second signal ends at once, and the worker with it."""
    supervisor.stop()
    signal.signal(received, signal.SIG_DFL)


def _settings(config: Path | None, size: str | None, options: dict[str, Any]) -> Any:
    """The file's settings, overridden by the options that were given."""
    import msgspec

    from edge.config import load_settings, parse_size, settings_from

    values: dict[str, Any] = {}
    if config is not None:
        values = msgspec.to_builtins(load_settings(config))
    places = {
        "source": "camera",
        "fps": "camera",
        "runtime": "engine",
        "device": "engine",
        "threads": "engine",
        "threshold": "decision",
        "smoothing": "decision",
        "top": "decision",
        "jsonl": "output",
    }
    for key, section in places.items():
        if options[key] is not None:
            values.setdefault(section, {})[key] = options[key]
    camera = values.setdefault("camera", {})
    if size is not None:
        camera["width"], camera["height"] = parse_size(size)
    if options["flat_out"]:
        camera["realtime"] = False
    if options["loop"]:
        camera["loop"] = True
    if options["quiet"]:
        values.setdefault("output", {})["console"] = "off"
    if options["bundle"] is not None:
        values["bundle"] = options["bundle"]
    if "bundle" not in values:
        raise click.UsageError("name a bundle with --bundle, or a settings file with --config")
    if config is None and options["source"] is None:
        raise click.UsageError("name a source with --source: a folder, a video file, /dev/video0, picamera2")
    settings = settings_from(values)
    try:
        msgspec.json.encode(settings)  # as it will be told to the worker
    except UnicodeEncodeError as error:
        raise ConfigError(f"{error.object!a}: not UTF-8: rename it") from error
    return settings


def _log_to_stderr() -> None:
    """Plain lines; systemd's journal adds the time itself, so only a terminal or file gets it from us."""
    under_systemd = "JOURNAL_STREAM" in os.environ
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(levelname)s %(message)s" if under_systemd else "%(asctime)s %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
    )

"""fieldfare run: the device program."""

import logging
import os
import platform
import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from edge import __version__
from edge.errors import ConfigError

_log = logging.getLogger(__name__)


@click.command(epilog="Example: fieldfare run --bundle birds --source /dev/video0 --json")
@click.option("--config", type=click.Path(path_type=Path), help="Settings file (TOML); options override it.")
@click.option("--bundle", help="Bundle: a directory or a .fieldfare file.")
@click.option("--source", help="A folder, a picture or video file, /dev/videoN, picamera2[:N] or synthetic.")
@click.option("--size", metavar="WxH", help="Frame size to ask the camera for.  [default: 640x480]")
@click.option("--fps", type=float, help="Frames a second; folders without it are replayed flat out.")
@click.option("--flat-out", is_flag=True, help="Replay as fast as possible, every frame classified.")
@click.option("--loop", is_flag=True, help="Begin a replay again after its last frame.")
@click.option("--frames", type=click.IntRange(min=1), help="Stop after this many.")
@click.option("--runtime", help="auto, litert or tflite-runtime.  [default: auto]")
@click.option("--device", help="auto, cpu, edgetpu, usb, pci, usb:N or pci:N.  [default: auto]")
@click.option("--threads", type=int, help="CPU threads for inference.  [default: 2]")
@click.option("--threshold", type=float, help="Best scores under it are 'unknown'.  [default: the bundle's]")
@click.option("--smoothing", type=float, help="Share of the past in each score, 0 to under 1.  [default: 0]")
@click.option("--top", type=int, help="How many candidates to report.  [default: 3]")
@click.option("--jsonl", help="Also write JSON lines to this file, rotated at 64 MB.")
@click.option("--json", "json_lines", is_flag=True, help="JSON lines on standard output.")
def run(config: Path | None, size: str | None, frames: int | None, **options: Any) -> None:
    """Classify what a camera sees, until Ctrl-C, SIGTERM or the end of a replay.

    Live decisions go to the terminal, or with --json one object a line to standard output. Everything else
    that there is to say goes to standard error.
    """
    from edge.bundle.store import open_bundle
    from edge.cli.assemble import build_pipeline, build_sinks
    from edge.cli.sources import open_source
    from edge.daemon import run as run_daemon
    from edge.health import SystemdNotifier

    settings = _settings(config, size, options)
    notifier = SystemdNotifier()
    if settings.camera.fps and 2 / settings.camera.fps > notifier.watchdog_s:
        raise ConfigError(
            f"camera.fps = {settings.camera.fps:g}: systemd's watchdog wants a decision every "
            f"{notifier.watchdog_s:g} s: at least {2 / notifier.watchdog_s:g}, or a longer WatchdogSec"
        )
    _log_to_stderr()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: _stop(stop, received))
    bundle = open_bundle(settings.bundle)
    with ExitStack() as stack:
        pipeline = build_pipeline(bundle, settings.engine, settings.decision)
        stack.callback(pipeline.classifier.close)
        source = open_source(settings.camera)
        stack.callback(source.close)
        sinks = build_sinks(settings.output, json_lines=options["json_lines"])
        for sink in sinks:
            stack.callback(sink.close)
        _log.info(
            "fieldfare %s, Python %s, bundle %s (%s, %d classes), %s, %s",
            __version__,
            platform.python_version(),
            bundle.bundle_id,
            bundle.manifest.name,
            len(bundle.labels),
            pipeline.classifier.engine,
            source.description,
        )
        summary = run_daemon(
            source,
            pipeline,
            sinks,
            notifier,
            stop,
            timeout_s=settings.camera.patience_s,
            max_frames=frames,
        )
    _log.info("%s", summary.line())


def _stop(stop: threading.Event, received: int) -> None:
    """End after the current frame; a second signal ends at once, should a native call hang."""
    stop.set()
    signal.signal(received, signal.SIG_DFL)


def _settings(config: Path | None, size: str | None, options: dict[str, Any]) -> Any:
    """The file's settings, overridden by the options that were given."""
    import msgspec

    from edge.config import load_settings, settings_from

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
        camera["width"], camera["height"] = _parse_size(size)
    if options["flat_out"]:
        camera["realtime"] = False
    if options["loop"]:
        camera["loop"] = True
    if options["bundle"] is not None:
        values["bundle"] = options["bundle"]
    if "bundle" not in values:
        raise click.UsageError("name a bundle with --bundle, or a settings file with --config")
    if config is None and options["source"] is None:
        raise click.UsageError("name a source with --source: a folder, a video file, /dev/video0, picamera2")
    return settings_from(values)


def _parse_size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise ConfigError(f"--size {text}: must be WIDTHxHEIGHT, such as 640x480")
    return int(width), int(height)


def _log_to_stderr() -> None:
    """Plain lines; systemd's journal adds the time itself, so only a terminal or file gets it from us."""
    under_systemd = "JOURNAL_STREAM" in os.environ
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(levelname)s %(message)s" if under_systemd else "%(asctime)s %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
    )

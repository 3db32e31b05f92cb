"""fieldfare run: classify what a camera sees, as the device does."""

import logging
import os
import platform
import signal
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge import __version__
from edge.cli import options
from edge.cli.given import refuse_given, refuse_together
from edge.cli.streams import complain

if TYPE_CHECKING:
    from edge.config.request import SettingsRequest
    from edge.config.running import Output
    from edge.config.settings import Settings
    from edge.processes.worker_process import StartWorker
    from edge.sinks.base import Sink
    from edge.supervision.load.sleep import Sleep
    from edge.supervision.parts import Renewal
    from edge.supervision.supervisor import Supervisor
    from edge.supervision.systemd import Place

_log = logging.getLogger(__name__)


@click.command(
    short_help="Classify what a camera sees, and keep its events.",
    epilog="Example: fieldfare run --bundle birds --source /dev/video0 --json",
)
@click.option("--config", type=click.Path(path_type=Path), help="Settings file (TOML); options override it.")
@click.option("--bundle", help=options.BUNDLE)
@click.option("--source", help=options.SOURCES)
@options.size
@click.option("--fps", type=float, help="Frames a second; folders without it are replayed flat out.")
@click.option("--flat-out", is_flag=True, help="Replay as fast as possible, every frame classified.")
@click.option("--loop", is_flag=True, help="Begin a replay again after its last frame.")
@click.option("--frames", type=click.IntRange(min=1), help="Stop after this many.")
@options.runtime
@options.device
@options.threads
@options.threshold
@click.option("--smoothing", type=float, help="Share of the past in each score, 0 to under 1.  [default: 0]")
@options.top
@click.option("--jsonl", help="Also write JSON lines to this file, rotated at 64 MB.")
@click.option("--quiet", is_flag=True, help="No results on standard output.")
@click.option("--service", is_flag=True, help="Never give up: wait for a camera that is not there yet.")
@click.option("--no-outputs", is_flag=True, help="Leave MQTT and other outputs of events to `fieldfare outputs`.")
@click.option("--json", "json_lines", is_flag=True, help="JSON lines on standard output.")
@click.pass_context
def run(
    context: click.Context,
    /,
    config: Path | None,
    frames: int | None,
    service: bool,
    no_outputs: bool,
    json_lines: bool,
    **given: Any,
) -> None:
    """Classify what a camera sees, until Ctrl-C, SIGTERM or the end of a replay.

    Live decisions go to the terminal, or with --json one object a line to standard output. Everything else
    goes to standard error.

    Events are kept if the settings name a store in [events]. When it ends, events that wait are written and sent
    to the outputs first, which takes some seconds at most; a second Ctrl-C ends it at once.
    """
    refuse_together(context, "quiet", "json_lines")
    request = _request(config, **given)
    settings = request.load()
    _refuse_useless(context, settings.camera.source)
    sleep = _sleep(settings, _place())
    _refuse_hopeless_store(settings, service=service)
    with ExitStack() as stack:
        start = _early_worker(stack, sleep)
        from edge.capture.script import keep_clock
        from edge.cli.outputs.sinks import build_sinks
        from edge.processes.logs import keep_problems, log_to_stderr
        from edge.supervision.parts import Renewal

        log_to_stderr()
        keep_problems(_place().run)
        keep_clock()

        def new_sinks(output: "Output") -> "list[Sink]":
            sinks = build_sinks(output, json_lines=json_lines, patient=service)
            for sink in sinks:
                stack.callback(sink.close)
            return sinks

        renewal = Renewal(request if config else None, new_sinks, lambda new: _sleep(new, _place()))
        supervisor = _supervisor(settings, sleep, start, frames, renewal, service=service, no_outputs=no_outputs)
        _obey_signals(supervisor, service=service)
        _log.info("fieldfare %s, Python %s", __version__, platform.python_version())
        status = supervisor.run()
    _conclude(supervisor)
    if status:
        raise click.exceptions.Exit(status)


def _obey_signals(supervisor: "Supervisor", *, service: bool) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: _stop(supervisor, received))
    # By hand, it is the terminal that closes.
    if service and not sys.stdin.isatty():
        signal.signal(signal.SIGHUP, lambda *_: supervisor.reload())


def _early_worker(stack: ExitStack, sleep: "Sleep | None") -> "StartWorker":
    """Return what starts workers. The first one loads its libraries while this process loads its own."""
    from edge.processes.worker_process import EarlyWorker, start_worker

    if sleep is not None:  # which may have it wait for hours
        return start_worker
    with suppress(OSError):  # no process can be started: the supervisor tries again, and reports it
        early = EarlyWorker()
        stack.callback(early.close)
        return early
    return start_worker


def _refuse_hopeless_store(settings: "Settings", *, service: bool) -> None:
    """Raise DataError or StorageError if no event can be kept and a person is there to mend that. The service goes on:
    it keeps events in memory, and reports why."""
    if service or settings.events.store is None:
        return
    from edge.store.writes.glance import refuse_hopeless

    refuse_hopeless(Path(settings.events.store))


def _supervisor(
    settings: "Settings",
    sleep: "Sleep | None",
    start: "StartWorker",
    max_frames: int | None,
    renewal: "Renewal",
    *,
    service: bool,
    no_outputs: bool,
) -> "Supervisor":
    from edge.supervision.beside.starting import start_outputs
    from edge.supervision.parts import Helpers
    from edge.supervision.supervisor import Supervisor
    from edge.supervision.systemd import SystemdNotifier

    return Supervisor(
        settings,
        renewal.sinks(settings.output),
        SystemdNotifier(),
        _place(),
        service=service,
        max_frames=max_frames,
        sleep=sleep,
        start=start,
        helpers=Helpers(outputs=None if no_outputs else start_outputs),
        renewal=renewal,
    )


def _conclude(supervisor: "Supervisor") -> None:
    """Print why it failed, if it did, and what it counted, if anything."""
    if supervisor.complaint is not None:
        heading, *faults = supervisor.complaint.split("\n")
        complain(f"fieldfare: {heading}")
        for fault in faults:
            complain(f"  {fault}")
    if supervisor.complaint is None or supervisor.tally.results:
        _log.info("%s", supervisor.tally.line(supervisor.status.counts.dropped))


def _refuse_useless(context: click.Context, source: str) -> None:
    """Raise UsageError if an option was given that means nothing to this source."""
    from edge.printable import masked
    from edge.source_kind import is_live, source_kind

    shown = masked(source)
    if is_live(source):
        refuse_given(context, "flat_out", because=f"{shown} has a rate of its own: leave it out, or replay a recording")
    if source_kind(source) != "replay":
        refuse_given(context, "loop", because=f"{shown} has no end: leave it out")
    if source_kind(source) in ("replay", "stream"):
        refuse_given(context, "size", because=f"{shown} has a size of its own: leave it out")
    if context.params["flat_out"]:
        refuse_given(context, "fps", because="--flat-out goes as fast as possible: leave one out")


def _place() -> "Place":
    """Return the folders that systemd names in the environment; by hand there are none, so no status file."""
    from edge.supervision.systemd import Place

    run, state = os.environ.get("RUNTIME_DIRECTORY"), os.environ.get("STATE_DIRECTORY")
    return Place(*(Path(text.split(":")[0]) if text else None for text in (run, state)))


def _sleep(settings: "Settings", place: "Place") -> "Sleep | None":
    """Return what follows the schedule, None if there is none. Raises MissingPackageError."""
    if not settings.schedule.awake:
        return None
    from edge.events.schedule import timetable_of
    from edge.events.wall_clock import WallClock
    from edge.supervision.load.kept_clock import KeptClock
    from edge.supervision.load.sleep import Sleep
    from edge.supervision.status import boot_id

    clock = WallClock()
    kept = KeptClock(clock, place.run / "clock.json", boot_id()) if place.run is not None else clock
    return Sleep(timetable_of(settings), kept)


def _stop(supervisor: "Supervisor", received: int) -> None:
    """End after the current frame; a second signal ends this process at once, and the worker with it."""
    supervisor.stop()
    signal.signal(received, signal.SIG_DFL)


def _request(
    config: Path | None, *, size: str | None, flat_out: bool, loop: bool, quiet: bool, **given: Any
) -> "SettingsRequest":
    """Return what settings to read: the file's, with the options that were given put over them."""
    from edge.config.loading import parse_size
    from edge.config.request import SettingsRequest

    if config is None and given["bundle"] is None:
        raise click.UsageError("name a bundle with --bundle, or a settings file with --config")
    if config is None and given["source"] is None:
        raise click.UsageError("name a source with --source: a folder, a video file, /dev/video0, picamera2")
    width, height = (None, None) if size is None else parse_size(size)
    options = {
        "width": width,
        "height": height,
        "realtime": False if flat_out else None,
        "loop": True if loop else None,
        "console": "off" if quiet else None,
        **given,
    }
    own = {name: str(path) for name, path in _place().files.items()}
    return SettingsRequest(None if config is None else str(config), options, own)

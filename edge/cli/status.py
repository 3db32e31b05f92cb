"""fieldfare status: show the state of the service."""

import os
import shutil
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli.streams import echo, echo_json
from edge.errors import MissingInputError, UnavailableError
from edge.printable import counted, one_line

if TYPE_CHECKING:
    from edge.supervision.status import EventStatus, LastEvent, Reloaded, Status

RUN = Path("/run/fieldfare")
CLOCKS = {
    "ntp": "kept by a time server",
    "rtc": "kept by a real-time clock",
    "hand": "set by hand",
    "none": "not to be trusted: nothing has set it",
}
_NARROWEST = 40
_NAME = 8  # columns for what a line is about
_WELL = ("running", "degraded", "asleep")


@click.command(short_help="Show the state of the service.", epilog="Example: fieldfare status --json")
@click.argument("name", required=False)
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path),
    default=RUN,
    show_default=True,
    help="The folder in which the service keeps its status.",
)
@click.option("--json", "as_json", is_flag=True, help="The whole status as JSON, one object a line.")
def status(name: str | None, run_dir: Path, as_json: bool) -> None:
    """Show the state of the service, or of its instance NAME if there are several.

    Exit status: 0 if it is running, degraded or asleep by its schedule, 69 if not, 66 if there is no service.
    """
    import msgspec

    from edge.supervision.status import read

    found = places(run_dir, name)
    serving = True
    for path in found:
        seen = read(path)
        alive = seen.is_alive()
        serving = serving and alive and seen.state in _WELL
        if as_json:
            echo_json({**msgspec.to_builtins(seen), "alive": alive})
        else:
            text = describe(seen, path.parent.name if len(found) > 1 or name else None, alive=alive)
            for line in fitted(text, shutil.get_terminal_size().columns if sys.stdout.isatty() else None):
                echo(line)
    if not serving:
        raise click.exceptions.Exit(UnavailableError.exit_status)


def fitted(text: str, columns: int | None) -> list[str]:
    """Return the lines of a description, those that are wider than a terminal in several. columns: None: no limit, so
    that `grep` finds whole lines."""
    lines = text.split("\n")
    if columns is None:
        return lines
    words = textwrap.TextWrapper(
        max(_NARROWEST, columns), subsequent_indent=" " * 11, break_long_words=False, break_on_hyphens=False
    )
    return [piece for line in lines for piece in words.wrap(line)]


def places(run_dir: Path, name: str | None) -> list[Path]:
    """Find the status file of the instance `name`, or those of all."""
    places = [run_dir / name] if name else [run_dir, *sorted(p for p in _folders(run_dir))]
    # Also a folder or a pipe that stands there: why it cannot be read is the better answer.
    files = [place / "status.json" for place in places if os.path.lexists(place / "status.json")]
    if not files:
        raise MissingInputError(
            f"no status in {run_dir / name if name else run_dir}: the service does not run here "
            "(sudo systemctl start fieldfare), or keeps it elsewhere (--run-dir)"
        )
    return files


def _folders(run_dir: Path) -> list[Path]:
    try:
        return [entry for entry in run_dir.iterdir() if entry.is_dir()]
    except OSError:
        return []


def describe(seen: "Status", name: str | None, *, alive: bool) -> str:
    """Describe a status for people, one line a subject, whatever its texts hold."""
    counts, load = seen.counts, seen.load
    state = seen.state if alive or seen.state in ("failed", "stopped") else f"not running (was {seen.state})"
    lines = [
        f"{name + ': ' if name else ''}{state} since {_when(seen.since_wall_s)}: {seen.why}",
        f"  bundle   {seen.bundle_name or 'not opened'}" + (f" ({seen.bundle})" if seen.bundle else ""),
        f"  engine   {seen.engine or 'none yet'}",
        f"  camera   {seen.source or 'none yet'}",
        f"  results  {counts.results}, now {seen.fps:.1f} a second"
        + (
            f", last {seen.last.label} {seen.last.score:.2f} at {_when(seen.last.captured_wall_s)}" if seen.last else ""
        ),
        f"  frames   {counts.captured} from the camera, {counts.looked_at} looked at, "
        f"{counts.dropped} replaced by newer ones, {counts.repeated} repeated, {counts.stale} too old",
        f"  faults   camera {counts.camera_faults}, engine {counts.engine_faults}, crashes {counts.crashes}, "
        f"hangs {counts.hangs}; worker started {counted(counts.worker_starts, 'time')}",
    ]
    lines[-2:-2] = [*_events(seen), *_outputs(seen)]
    if seen.clock is not None:
        lines.insert(-2, f"  clock    {CLOCKS[seen.clock]}")
    if seen.output_fault is not None:
        lines.insert(-2, f"  output   {seen.output_fault}")
    # Few or no results are no fault then: what is looked at shows that it works.
    if counts.turned_away:
        lines.insert(
            -1, f"  gate     {counts.turned_away} turned away; {seen.looked_at_fps:.1f} a second are looked at"
        )
    if counts.edgetpu_losses:
        lines.append(
            f"  Edge TPU lost {counted(counts.edgetpu_losses, 'time')}, back {counted(counts.edgetpu_returns, 'time')}"
        )
    if seen.reloaded is not None:
        lines += _reloaded(seen.reloaded)
    if counts.usb_resets or counts.reboots_asked:
        lines.append(
            f"  repairs  {counted(counts.usb_resets, 'USB reset')}, {counted(counts.reboots_asked, 'reboot')} requested"
        )
    board = [
        f"{load.temperature_c:.1f} C" if load.temperature_c is not None else None,
        f"CPU {load.cpu_percent:.0f} %" if load.cpu_percent is not None else None,
        f"at most {load.limit_fps:g} frames/s" if load.limit_fps is not None else None,
        load.reason,
    ]
    if any(board):
        lines.append(f"  board    {', '.join(text for text in board if text)}")
    return "\n".join(_aligned(one_line(line), seen) for line in lines)


def _aligned(line: str, seen: "Status") -> str:
    """Return a line of the description with room for the longest name of an output in front of it."""
    names = [one.name for one in seen.outputs]
    wider = max([_NAME, *map(len, names)]) - _NAME
    if not line.startswith("  "):
        return line
    name = next((name for name in names if line.startswith(f"  {name} ")), None)
    end = 2 + max(_NAME, len(name or ""))
    return f"{line[:end]:<{2 + _NAME + wider}}{line[end:]}"


def _events(seen: "Status") -> list[str]:
    """Describe what becomes of events; nothing if none are kept."""
    events = seen.events
    if events is None:
        return []
    stored = "store not open yet" if events.stored is None else f"{events.stored} stored"
    lines = [
        f"  events   {stored}, {events.heard} since the start{_last(events.last)}",
        f"  store    {_space(events)}",
    ]
    if events.fault is not None:
        lines.append(f"  recorder {events.fault}: {events.waiting} wait in memory")
    if events.notice is not None:
        lines.append(f"  notice   {events.notice}")
    if events.lost_events or events.lost_pictures:
        lines.append(
            f"  lost     {counted(events.lost_events, 'event')} and {counted(events.lost_pictures, 'picture')}: "
            "too much waited"
        )
    return lines


def _last(event: "LastEvent | None") -> str:
    if event is None:
        return ""
    return f", last {event.label} {event.peak:.2f} at {_when(event.begin_wall_s)}{'' if event.ended else ', going on'}"


def _space(events: "EventStatus") -> str:
    texts = [
        f"{events.waiting} not written yet",
        f"pictures {events.pictures_mb:.0f} MB" if events.pictures_mb else None,
        f"harvest {events.harvest_mb:.0f} MB" if events.harvest_mb else None,
        f"{counted(events.dropped_pictures, 'picture')} dropped for space" if events.dropped_pictures else None,
        f"{events.written_bytes / 1e6:.1f} MB written today",
    ]
    return ", ".join(text for text in texts if text)


def _reloaded(last: "Reloaded") -> list[str]:
    """Describe what came of the last reload."""
    what = "read again" if last.applied else "refused, those before are in use"
    first = f"  settings {what} at {_when(last.at_wall_s)}: {last.words}"
    return [first, *(f"           {fault}" for fault in last.faults)]


def _outputs(seen: "Status") -> list[str]:
    """Describe the outputs that the service runs itself."""
    lines = [] if seen.outputs_fault is None else [f"  outputs  {seen.outputs_fault}"]
    for one in seen.outputs:
        lines.append(f"  {one.name:<{_NAME}} {one.fault or 'as configured'}, {one.waiting} waiting")
        if one.notice is not None:
            lines.append(f"           {one.notice}")
    return lines


def _when(wall_s: float) -> str:
    moment = time.localtime(wall_s)
    today = time.strftime("%F", moment) == time.strftime("%F")
    return time.strftime("%H:%M:%S" if today else "%F %H:%M:%S", moment)

"""fieldfare events show: all about one event."""

import re
from typing import TYPE_CHECKING, Any

import click

from edge.cli.events.command import to_json
from edge.cli.events.options import is_utf8, json_option, note_missing_log, store_of, store_options, values_of
from edge.cli.streams import echo, echo_json
from edge.errors import DataError
from edge.printable import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.store.reading import StoreReader
    from edge.store.records import StoredEvent

# Such as 12,13 or 12-15.
_SEVERAL = re.compile(r"\d+(?:[-,.;:/]+\d+)+[-,.;:/]?|\d+[,;]")
_CLOCKS = {
    "ntp": "by a time server",
    "rtc": "by a real-time clock",
    "hand": "set by hand",
    "none": "not to be trusted: the device had no clock",
}


@click.command(epilog="Example: fieldfare events show 123")
@click.argument("number")
@store_options
@json_option
@click.pass_context
def show(context: click.Context, /, number: str, **_: Any) -> None:
    """Show all about the event of this NUMBER (or name), and where its pictures are."""
    from edge.store.reading import StoreReader

    values = values_of(context)
    with StoreReader(store_of(values)) as reader:
        note_missing_log(reader)
        stored = find(reader, number)
    if values["as_json"]:
        echo_json(to_json(stored))
        return
    for title, text in _lines(stored):
        echo(f"{title:<11} {text}")


def find(reader: "StoreReader", number: str) -> "StoredEvent":
    """Return the event of this number or name. Raises DataError if there is none."""
    stored = reader.find(number) if is_utf8(number) else None
    if stored is None:
        first, last = reader.numbers()
        fix = "give one number after the other, as in 12 13" if _SEVERAL.fullmatch(number) else "see fieldfare events"
        raise DataError(f"event {number[:100]!r} is not there: the store holds {first} to {last}: {fix}")
    return stored


def _lines(stored: "StoredEvent") -> "Iterator[tuple[str, str]]":
    from edge.cli.events import table

    event, mark = stored.event, stored.mark
    yield "event", f"{stored.number}  {event.name}"
    yield (
        "label",
        stored.label if stored.label == event.label else f"{stored.label}, the model took it for {event.label}",
    )
    yield "begin", f"{table.begin(stored)}  ({_CLOCKS[stored.clock]})"
    yield "lasted", f"{table.duration(event.end_mono_s - event.begin_mono_s)}, {counted(event.frames, 'frame')}"
    other = f"; second {event.runner_up.label} {event.runner_up.score:.2f}" if event.runner_up is not None else ""
    yield "score", f"{event.peak:.2f} at best, {event.mean:.2f} on average{other}"
    if mark is None:
        yield "checked", f"not yet: fieldfare events mark {stored.number} right"
    else:
        who = f" by {mark.by}" if mark.by else ""
        yield "checked", f"{table.checked(mark)}{who}{f' on {table.local(mark.wall_s)}' if mark.wall_s else ''}"
    if event.box is not None:
        left, top, width, height = event.box
        yield "box", f"left {left:.3f}, top {top:.3f}, width {width:.3f}, height {height:.3f} of the frame"
    yield "device", f"{event.device}, camera {event.camera}"
    if event.latitude is not None and event.longitude is not None:
        yield "place", f"{event.latitude:.5f}, {event.longitude:.5f}"
    if event.temperature_c is not None:
        yield "board", f"{event.temperature_c:.1f} C"
    yield "model", f"bundle {event.bundle} on {event.engine}{f' ({event.fallback})' if event.fallback else ''}"
    yield "exported", "yes" if stored.exported else "no"
    for picture in stored.pictures:
        yield picture.kind, f"{picture.path}  {picture.width}x{picture.height}, {picture.size / 1000:.0f} kB"

"""fieldfare events tail: follow what the camera sees."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.events.command import print_events
from edge.cli.events.options import filter_of, filter_options, json_option, store_of, store_options, values_of

if TYPE_CHECKING:
    from edge.store.reading import StoreReader
    from edge.store.records import Filter, StoredEvent

_EVERY_S = 1.0
_AT_ONCE = 500
_SHOWN = 10


@click.command(epilog="Example: fieldfare events tail --label fox")
@store_options
@filter_options
@click.option("-n", "most", type=click.IntRange(0), help=f"Begin with so many of the last ones.  [default: {_SHOWN}]")
@json_option
@click.pass_context
def tail(context: click.Context, /, **_: Any) -> None:
    """Show the last events, then each one as it ends. Ctrl-C ends it."""
    values = values_of(context)
    most = _SHOWN if values["most"] is None else values["most"]
    follow(store_of(values), filter_of(values), most, as_json=values["as_json"])


def follow(store: Path, wanted: "Filter", most: int, *, as_json: bool) -> None:
    """Print the last `most` events that are wanted, then those that come, until the process is interrupted."""
    from edge.store.reading import StoreReader

    head = True
    while True:
        identity = _identity(store)
        with StoreReader(store) as reader:
            last = reader.numbers()[1]
            begin = list(reader.events(wanted, limit=most)) if most else []
            shown = print_events(reversed([one for one in begin if one.number <= last]), as_json=as_json, head=head)
            head = head and not shown
            while _identity(store) == identity:
                last, found = _newer(reader, last, wanted)
                head = not print_events(found, as_json=as_json, head=head) and head
                time.sleep(_EVERY_S)
        # The recorder set a damaged store aside, or somebody put another one there: all of that is new.
        most = _AT_ONCE
        while _identity(store) is None:
            time.sleep(_EVERY_S)


def _newer(reader: "StoreReader", last: int, wanted: "Filter") -> "tuple[int, list[StoredEvent]]":
    found = reader.after(last, _AT_ONCE)
    return found[-1].number if found else last, [one for one in found if fits(one, wanted)]


def fits(stored: "StoredEvent", wanted: "Filter") -> bool:
    """Return whether an event is wanted."""
    peak, begin = stored.event.peak, stored.begin_wall_s
    return (
        (not wanted.labels or stored.label in wanted.labels)
        and (wanted.since_wall_s is None or begin >= wanted.since_wall_s)
        and (wanted.until_wall_s is None or begin < wanted.until_wall_s)
        and (wanted.least_score is None or peak >= wanted.least_score)
        and (wanted.most_score is None or peak <= wanted.most_score)
        and wanted.checked in (None, stored.mark is not None)
    )


def _identity(store: Path) -> tuple[int, int] | None:
    try:
        found = store.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino

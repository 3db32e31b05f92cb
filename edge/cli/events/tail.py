"""fieldfare events tail: follow what the camera sees."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.events.command import print_events
from edge.cli.events.options import (
    filter_of,
    filter_options,
    json_option,
    note_missing_log,
    store_of,
    store_options,
    values_of,
)
from edge.errors import MissingInputError, UnavailableError

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

    seen = _Seen(as_json=as_json)
    while True:
        identity = _identity(store)
        try:
            with StoreReader(store) as reader:
                if not seen.has_begun:
                    note_missing_log(reader)
                seen.begin(reader, wanted, most)
                while _identity(store) == identity:
                    seen.show_newer(reader, wanted)
                    time.sleep(_EVERY_S)
        except UnavailableError:  # somebody began to write a store that was at rest: it must be opened anew
            time.sleep(_EVERY_S)
        except MissingInputError:
            if not seen.has_begun:
                raise
            time.sleep(_EVERY_S)  # the new store has no tables yet
        while _identity(store) is None:  # set aside as damaged, and the new one is not there yet
            time.sleep(_EVERY_S)


class _Seen:
    """How far the events of a store were shown."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._head = True
        self._store: str | None = None
        self._last = 0

    @property
    def has_begun(self) -> bool:
        """Whether a store was opened."""
        return self._store is not None

    def begin(self, reader: "StoreReader", wanted: "Filter", most: int) -> None:
        """Show the last ones of the first store. All of a store that took its place are new, and come later."""
        store = reader.store_id()
        if self._store is None:
            self._last = reader.numbers()[1]
            found = list(reader.events(wanted, limit=most)) if most else []
            self._print([one for one in reversed(found) if one.number <= self._last])
        elif store != self._store:
            self._last = 0
        self._store = store

    def show_newer(self, reader: "StoreReader", wanted: "Filter") -> None:
        """Show those that have come since."""
        while found := reader.after(self._last, _AT_ONCE):
            self._last = found[-1].number
            self._print([one for one in found if fits(one, wanted)])

    def _print(self, found: "list[StoredEvent]") -> None:
        shown = print_events(found, as_json=self._as_json, head=self._head)
        self._head = self._head and not shown


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

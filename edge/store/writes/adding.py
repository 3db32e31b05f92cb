"""Add events to the store: open ones apart, ended ones under a number, each identity once."""

import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from edge.decoding import decode
from edge.events.records import ClockQuality, Event
from edge.store import rows, schema
from edge.store.counting import Counts, last_number
from edge.store.faults import sound_rows
from edge.store.records import StoredPicture
from edge.store.texts import Boot, TextWriter
from edge.store.writes import clocks, pictures

# An event with the wall times of its begin and end, how far they can be trusted, and its pictures.
NewEvent = tuple[Event, float, float, ClockQuality, Sequence[StoredPicture]]
# device, boot, sequence
Identity = tuple[str, str, int]

_decoder = msgspec.msgpack.Decoder(Event)
_KEEP_OPEN = (
    "INSERT OR REPLACE INTO open_events (boot, sequence, event, begin_ms, end_ms, clock, begin_mono_s, end_mono_s)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_OPEN = (
    "SELECT b.device, b.boot, o.sequence, o.event, o.begin_ms, o.end_ms, o.clock FROM open_events AS o"
    " JOIN boots AS b ON b.id = o.boot ORDER BY o.boot, o.sequence"
)


class EventAdder:
    """Adds events. Used inside transactions of the store's writer."""

    def __init__(self, connection: sqlite3.Connection, texts: TextWriter, counts: Counts, folder: Path) -> None:
        """folder: that of the store."""
        self._connection = connection
        self._texts = texts
        self._counts = counts
        self._folder = folder

    def add(self, new: NewEvent) -> int | None:
        """Add an event, as StoreWriter.add_events does. Return its number, None if it goes on."""
        event = new[0]
        boot = self._texts.boot(Boot(event.device, event.boot))
        there = self._connection.execute(
            "SELECT number, end_mono_s, frames FROM events WHERE boot = ? AND sequence = ?", (boot, event.sequence)
        ).fetchone()
        if not event.ended:
            if there is None:
                times = (*_times_of(new), event.begin_mono_s, event.end_mono_s)
                self._connection.execute(_KEEP_OPEN, (boot, event.sequence, msgspec.msgpack.encode(event), *times))
            return None
        self._connection.execute("DELETE FROM open_events WHERE boot = ? AND sequence = ?", (boot, event.sequence))
        if there is None:
            return self._insert(self._next_number(), new, boot)
        number, *reached = there
        with sound_rows():
            goes_further = (event.end_mono_s, event.frames) > tuple(reached)
        if goes_further:
            return self._replace(number, new, boot)
        self._add_missing_pictures(number, new[4])
        return int(number)

    def end_left_open(self, still_going: Collection[Identity]) -> int:
        """End the open events that are not in `still_going`, with what is known of them. Return how many."""
        left = self._left_open(still_going)
        for new in left:
            self.add(new)
        return len(left)

    def _left_open(self, still_going: Collection[Identity]) -> list[NewEvent]:
        found: list[NewEvent] = []
        with sound_rows():
            for device, boot, sequence, packed, begin_ms, end_ms, clock in self._connection.execute(_OPEN):
                if (device, boot, sequence) not in still_going:
                    event = msgspec.structs.replace(decode(_decoder, packed), ended=True)
                    found.append((event, begin_ms / 1000, end_ms / 1000, rows.clock_of(clock), ()))
        return found

    def _next_number(self) -> int:
        # One more than the last, also if that is not there any more: a cursor must never meet a number twice. As the
        # number is given when the event ends, in the transaction that makes it durable, none comes late, either.
        return last_number(self._connection) + 1

    def _insert(self, number: int, new: NewEvent, boot: int) -> int:
        event = new[0]
        times = clocks.not_before_the_last(self._connection, boot, _times_of(new))
        self._connection.execute(rows.INSERT, rows.event_row(self._texts, event, number, times))
        pictures.add(self._connection, number, new[4], self._folder)
        return number

    def _add_missing_pictures(self, number: int, images: Sequence[StoredPicture]) -> None:
        if images and not pictures.paths(self._connection, [number], self._folder):
            pictures.add(self._connection, number, images, self._folder)

    def _replace(self, old: int, new: NewEvent, boot: int) -> int:
        """Put a longer form of an event in the place of a shorter one. Its mark stays, and its pictures if no new ones
        came."""
        (label,) = self._connection.execute("SELECT label FROM events WHERE number = ?", (old,)).fetchone()
        number = self._next_number()
        if label != self._texts.label(new[0].label):
            # A person judged the label that it had. "right" goes on to name that one; "wrong" means nothing any more.
            self._connection.execute(
                "UPDATE marks SET verdict = 'other', label = ? WHERE event = ? AND verdict = 'right'", (label, old)
            )
            self._connection.execute("DELETE FROM marks WHERE event = ? AND verdict = 'wrong'", (old,))
        self._connection.execute("UPDATE marks SET event = ? WHERE event = ?", (number, old))
        if not new[4]:
            self._connection.execute("UPDATE pictures SET event = ? WHERE event = ?", (number, old))
        self._counts.delete([old])
        self._insert(number, new, boot)
        mark = self._connection.execute("SELECT label FROM marks WHERE event = ?", (number,)).fetchone()
        if mark is not None:
            with self._counts.changing([number]):
                values = (*mark, schema.CHECKED, number)
                query = "UPDATE events SET shown = coalesce(?, label), state = ? WHERE number = ?"
                self._connection.execute(query, values)
        return number


def _times_of(new: NewEvent) -> tuple[int, int, int]:
    _, begin_s, end_s, clock, _ = new
    return rows.milliseconds(begin_s), rows.milliseconds(end_s), rows.rank_of(clock)

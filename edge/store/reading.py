"""Read the store while the recorder writes it: read-only, never a checkpoint, any number of readers."""

import time
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType

from edge.errors import UnavailableError
from edge.printable import printable
from edge.store import harvest, rows
from edge.store.counting import events_after, last_settled
from edge.store.faults import sound_rows, translated
from edge.store.files import files_of, located
from edge.store.reads import exported, labelled, stays, totals
from edge.store.reads.runs import NumberSet
from edge.store.reads.selecting import Selection, select
from edge.store.reads.walking import Place, Walk
from edge.store.reads.ways_in import open_for_reading
from edge.store.records import Filter, HourCount, Labelled, Stay, StoredEvent, StoredSample
from edge.store.schema import HOUR_S, IS_OPEN

# How long a walk through the store may hold on to one state of it. Meanwhile the writer's log cannot begin again, so
# it grows; somebody may leave `fieldfare events | less` open for days.
_STATE_S = 60.0


class StoreReader:
    """A store that is open for reading. A context manager. Used by one thread.

    All methods raise DataError if the store is damaged, and UnavailableError if it cannot be read now.
    """

    def __init__(self, path: Path) -> None:
        """Open it. Raises MissingInputError if there is none, DataError if it is damaged, of a newer version or no
        store at all."""
        self.path = located(path)
        self._way = open_for_reading(self.path)
        self._connection = self._way.connection
        self._rows = rows.RowReader(self._connection, self.path.parent)
        self._texts = self._rows.texts
        self._closed = False
        self._depth = 0
        self._state_since_s = 0.0
        self._has_log = _has_log(self.path)

    def __enter__(self) -> "StoreReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; safe to call twice."""
        self._closed = True
        self._way.close()

    @contextmanager
    def _one_state(self) -> Iterator[None]:
        """Read one state of the store in the block, and turn what goes wrong into our errors."""
        with translated(self.path), sound_rows():
            if self._depth == 0:
                self._begin_state()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0 and not self._closed and self._connection.in_transaction:
                    self._connection.execute("COMMIT")

    def _begin_state(self) -> None:
        if self._way.is_stale():
            raise UnavailableError(
                f"the service began to write {printable(str(self.path))} while it was read as a file at rest: try again"
            )
        self._connection.execute("BEGIN")
        self._state_since_s = time.monotonic()

    def _renew_state(self) -> None:
        """Go on with the present state, if the old one was held long enough and nothing else here reads it."""
        if self._depth == 1 and time.monotonic() - self._state_since_s > _STATE_S:
            self._connection.execute("COMMIT")
            self._begin_state()

    def lacks_log(self) -> bool:
        """Return whether the newest events may be missing, since the store was not closed and its log is not beside it:
        it was copied or moved alone."""
        if self._has_log:
            return False
        with self._one_state():
            row = self._connection.execute("SELECT value FROM fieldfare WHERE key = ?", (IS_OPEN,)).fetchone()
        # A writer may have begun meanwhile.
        return row is not None and row[0] == 1 and not _has_log(self.path)

    def store_id(self) -> str:
        """Return the random id that this store got when it was created."""
        with self._one_state():
            row = self._connection.execute("SELECT value FROM fieldfare WHERE key = 'id'").fetchone()
            return str(row[0])

    def numbers(self) -> tuple[int, int]:
        """Return the numbers of the first and of the last event that are there; (0, 0) for none."""
        with self._one_state():
            query = "SELECT (SELECT min(number) FROM events), (SELECT max(number) FROM events)"
            first, last = self._connection.execute(query).fetchone()
            return (0, 0) if first is None else (first, last)

    def stays(self) -> list[Stay]:
        """Return where each device stood from which event on, in the order in which events were stored."""
        with self._one_state():
            return list(stays.find(self._connection, self._texts))

    def labelled(self) -> Iterator[Labelled]:
        """Yield the events that a person marked right, or gave another label, oldest first: with what is needed to
        learn from them alone, so ten times as fast as `events`."""
        with self._one_state():
            yield from labelled.find(self._connection, self._texts, self.path.parent)

    def after(self, number: int, limit: int) -> list[StoredEvent]:
        """Return the next events after this number, in their order; fewer than `limit` only at the end."""
        with self._one_state():
            query = f"{rows.SELECT} WHERE number > ? ORDER BY number LIMIT ?"
            return self._rows.stored(self._connection.execute(query, (number, limit)).fetchall())

    def count_after(self, number: int) -> int:
        """Return how many events there are after this number."""
        with self._one_state():
            return events_after(self._connection, number)

    def events(
        self,
        wanted: Filter,
        *,
        limit: int | None = None,
        newest_first: bool = True,
        without: Container[int] = (),
        at_once: int = rows.MOST_IN_ONE,
    ) -> Iterator[StoredEvent]:
        """Yield events by the time of their begin, at most `limit`. without: numbers of those to leave out.

        at_once: how many are read at a time, for a walk that ends early.

        Yields while the recorder goes on, from one state of the store; a walk that takes over a minute goes on with
        the state of then, without the events that have come since it began.
        """
        page = max(1, min(at_once, rows.MOST_IN_ONE, limit or rows.MOST_IN_ONE))
        with self._one_state():
            _, last = self.numbers()
            walk = Walk(self._connection, self._select(wanted), newest_first=newest_first, page=page)
            places = islice((one for one in walk.places() if one[1] <= last and one[1] not in without), limit)
            while batch := list(islice(places, page)):
                yield from self._at(batch)
                self._renew_state()

    def _at(self, places: Sequence[Place]) -> list[StoredEvent]:
        numbers = [number for _, number in places]
        query = f"{rows.SELECT} WHERE number IN ({rows.places(numbers)})"
        found = {row[0]: row for row in self._connection.execute(query, numbers)}
        return self._rows.stored([found[number] for number in numbers])

    def _select(self, wanted: Filter) -> Selection:
        return select(wanted, self._texts, last_settled(self._connection))

    def count(self, wanted: Filter) -> int:
        """Return how many events there are."""
        with self._one_state():
            return totals.total(self._connection, self._select(wanted))

    def hours(self, wanted: Filter) -> list[HourCount]:
        """Return the counts by label and hour, in order of hours, then labels."""
        with self._one_state():
            parts = sorted(totals.by_hour(self._connection, self._select(wanted)), key=len, reverse=True)
            labels = {label for part in parts for _, label, _ in part}
            texts = sorted((self._texts.label(label), label) for label in labels)
        # There may be 100,000 of them, most from one part. A place is one number: the hour, and the label in its order.
        ranks, many = {label: rank for rank, (_, label) in enumerate(texts)}, max(1, len(texts))
        counts = {hour * many + ranks[label]: events for hour, label, events in parts[0]} if parts else {}
        for part in parts[1:]:
            for hour, label, events in part:
                place = hour * many + ranks[label]
                counts[place] = counts.get(place, 0) + events
        return [
            HourCount(label=texts[place % many][0], hour_s=place // many * HOUR_S, events=events)
            for place, events in sorted(counts.items())
        ]

    def labels(self) -> Sequence[str]:
        """Return all labels that events or marks have, sorted."""
        with self._one_state():
            found = self._connection.execute(
                "SELECT label FROM hours WHERE events > 0"
                " UNION SELECT shown FROM events WHERE number > ?"
                " UNION SELECT e.label FROM marks AS m JOIN events AS e ON e.number = m.event",
                (last_settled(self._connection),),
            )
            return sorted(self._texts.label(label) for (label,) in found)

    def find(self, name: str) -> StoredEvent | None:
        """Return the event of this number or of this Event.name; None if there is none."""
        with self._one_state():
            if _is_number(name):
                found = self._connection.execute(f"{rows.SELECT} WHERE number = ?", (int(name),)).fetchall()
            else:
                found = self._of_name(name)
            return next(iter(self._rows.stored(found)), None)

    def _of_name(self, name: str) -> list[tuple[object, ...]]:
        device, boot, sequence = ["", "", *name.rsplit("-", 2)][-3:]
        if not _is_number(sequence):
            return []
        query = (
            f"{rows.SELECT} WHERE sequence = ?"
            " AND boot IN (SELECT id FROM boots WHERE device = ? AND substr(boot, 1, 8) = ?) LIMIT 1"
        )
        return self._connection.execute(query, (int(sequence), device, boot)).fetchall()

    def exported(self, form: str) -> NumberSet:
        """Return the numbers of the events that were exported in this format, dropped ones included."""
        with self._one_state():
            return exported.find(self._connection, self.path, form)

    def samples(self, *, exported: bool | None = None) -> Iterator[StoredSample]:
        """Yield the harvest, oldest first."""
        with self._one_state():
            yield from harvest.stored(self._connection, self._texts, self.path.parent, exported)


def _has_log(path: Path) -> bool:
    """Return whether anything is in the log: reading a store that has none makes an empty one."""
    try:
        return files_of(path)[1].stat().st_size > 0
    except OSError:
        return False


def _is_number(text: str) -> bool:
    """Return True for digits that fit into 64 bits."""
    return text.isascii() and text.isdecimal() and len(text) <= 18

"""Read the store behind a cursor: what an output has still to send, in order, each once it is confirmed."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from edge.errors import FieldfareError, MissingInputError
from edge.outputs.base import Fault
from edge.outputs.cursor import Cursor, Position
from edge.store.reading import StoreReader
from edge.store.records import StoredEvent

# Of a store that is there when an output without a cursor starts for the first time.
Begins = Literal["first", "last"]


class Reader(Protocol):
    """What is used of edge.store.reading.StoreReader."""

    def store_id(self) -> str: ...
    def numbers(self) -> tuple[int, int]: ...
    def after(self, number: int, limit: int) -> list[StoredEvent]: ...
    def labels(self) -> Sequence[str]: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that are left out: the store has dropped them, too many wait, or (single ones) a newer form of the event
    comes later. first, last: their numbers. events: how many."""

    first: int
    last: int
    events: int


@dataclass(frozen=True, slots=True)
class Item:
    """What must be sent next. number: of the event, or of the last one of a gap."""

    store: str
    number: int
    what: StoredEvent | Gap

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from all others: another store gives the same numbers to other events."""
        return self.store, self.number


def _open(path: Path) -> Reader:
    return StoreReader(path)


class Feed:
    """The events of the store after a cursor. Used by one thread; any thread calls `waiting` and `settled`.

    A store that is not there yet is waited for, one that was replaced is begun at its first event.
    """

    def __init__(
        self,
        store: Path,
        name: str,
        cursor: Cursor | None = None,
        *,
        begins: Begins = "first",
        max_waiting: int | None = None,
        open_store: Callable[[Path], Reader] = _open,
    ) -> None:
        """cursor: None: it begins as `begins` states each time. max_waiting: more become a gap."""
        self.name = name
        self._path, self._cursor, self._begins, self._max_waiting = store, cursor, begins, max_waiting
        self._open_store = open_store
        self._known = cursor.load() if cursor is not None else []
        # A store that appears later is younger than this output, which then must not miss its first event.
        self._was_there = store.exists()
        self.fault = Fault(f"{name}: store")
        self._reader: Reader | None = None
        self._file: tuple[int, int, int] | None = None
        self._store, self._read, self._done = "", 0, 0
        self._last = 0
        self._looked_s = float("-inf")

    @property
    def waiting(self) -> int:
        """How many events have still to be sent. An estimate: events that the store dropped may be counted."""
        return max(0, self._last - self._done)

    @property
    def left(self) -> int:
        """How many of them the next process will send, which goes on from the cursor."""
        return 0 if self._cursor is None else self.waiting

    def settled(self, since_s: float) -> bool:
        """Return whether nothing waits, by a look at the store that began at `since_s` or later (monotonic)."""
        return self._looked_s >= since_s and not self.waiting

    def next(self, limit: int) -> list[Item]:
        """Return the next items after the last ones that were returned; none if there are none, or no store."""
        items: list[Item] = []
        with self._judged():
            reader = self._opened()
            gap = None if reader is None else self._gap()
            if gap is not None:
                items = [gap]
            elif reader is not None:
                items = list(self._numbered(reader.after(self._read, limit)))
        if items:
            self._read = items[-1].number
        return items

    def look(self) -> None:
        """Find out how many wait."""
        with self._judged():
            self._opened()

    def labels(self) -> list[str]:
        """Return the labels in the store."""
        found: Sequence[str] = ()
        with self._judged():
            reader = self._opened()
            found = () if reader is None else reader.labels()
        return list(found)

    def newest(self) -> Item | None:
        """Return the last event of the store, None if there is none."""
        found: list[StoredEvent] = []
        with self._judged():
            reader = self._opened()
            found = reader.after(self._last - 1, 1) if reader is not None and self._last else []
        return Item(self._store, found[0].number, found[0]) if found else None

    def done(self, item: Item) -> None:
        """Note that this item and all before it are delivered."""
        if item.store != self._store or item.number <= self._done:
            return
        self._done = item.number
        if self._cursor is not None:
            self._cursor.advance(Position(self._store, self._done))

    def again(self) -> None:
        """Return to what is delivered: what was returned after it will be returned again."""
        self._read = self._done

    def tick(self) -> None:
        """Write the cursor if that is due."""
        if self._cursor is not None:
            self._cursor.tick()

    def next_s(self) -> float | None:
        """Return after how many seconds `tick` must be called, None for never."""
        return None if self._cursor is None else self._cursor.next_s()

    def close(self) -> None:
        """Write the cursor and close the store; safe to call twice."""
        if self._cursor is not None:
            self._cursor.save()
        self._close()

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """Read in the block. An error becomes the fault; the store is closed, and opened again the next time."""
        try:
            yield
        except MissingInputError:  # waited for
            self._close()
        except (FieldfareError, sqlite3.Error, OSError) as error:
            self._close()
            self.fault.set(str(error))
            return
        self.fault.clear()

    def _close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _opened(self) -> Reader | None:
        """Return the store, opened again if the file is another one; None if there is none."""
        began_s = time.monotonic()
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._close()
            self._looked_s = began_s
            return None
        # Also the time of its last change: another store may have been copied into the same file. The recorder changes
        # the file itself only when it moves its log there, now and then.
        file = (found.st_dev, found.st_ino, found.st_ctime_ns)
        if self._reader is not None and file != self._file:
            self._close()
        if self._reader is None:
            self._reader, self._file = self._open_store(self._path), file
            self._begin(self._reader)
        self._last = self._reader.numbers()[1]
        self._looked_s = began_s
        if self._last and self._last < self._read:
            # It was put back from a copy meanwhile, and gives the numbers after that anew, to other events.
            self._go_to(self._store, min(self._done, self._last))
        return self._reader

    def _begin(self, reader: Reader) -> None:
        """Find the position in a store that was just opened."""
        store, last = reader.store_id(), reader.numbers()[1]
        if store == self._store:
            return
        if self._store:
            self._known.append(Position(self._store, self._done))  # it may come back
        ours = [position.number for position in self._known if position.store == store]
        if ours:
            # A store that was put back from a copy may have come less far.
            start = min(ours[-1], last) if last else ours[-1]
        elif self._known or self._store or not self._was_there:
            start = 0
        else:
            start = last if self._begins == "last" else 0
        self._go_to(store, start)

    def _go_to(self, store: str, number: int) -> None:
        self._store, self._read, self._done = store, number, number
        if self._cursor is not None:
            self._cursor.advance(Position(store, number))

    def _gap(self) -> Item | None:
        """Return the gap that comes next if too many wait."""
        if not self._last or self._max_waiting is None or self._last - self._read <= self._max_waiting:
            return None
        return self._gap_to(self._read, self._last - self._max_waiting)

    def _numbered(self, events: Sequence[StoredEvent]) -> Iterator[Item]:
        """Yield the events, and a gap before each whose predecessor the store has dropped."""
        before = self._read
        for event in events:
            if event.number > before + 1:
                yield self._gap_to(before, event.number - 1)
            yield Item(self._store, event.number, event)
            before = event.number

    def _gap_to(self, before: int, last: int) -> Item:
        return Item(self._store, last, Gap(before + 1, last, last - before))

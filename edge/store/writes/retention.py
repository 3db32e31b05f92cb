"""Keep the store within its size: the oldest exported events go first, then the oldest."""

import sqlite3
from pathlib import Path

import msgspec

from edge.store import schema
from edge.store.counting import Counts
from edge.store.faults import sound_rows
from edge.store.writes import pictures

# Once the store is full it is cut back by so much, so that trimming is rare. The gap is filled again by new events, and
# the file keeps its size: giving the space back to the disk and taking it again would only write more.
_CUT_BACK = 0.97
# Pages that are given back to the disk at once.
_PAGES_AT_ONCE = 2000
_EXPORTED_STATES = f"({schema.EXPORTED}, {schema.EXPORTED | schema.CHECKED})"
_OLDEST_EXPORTED_HOUR = f"SELECT hour FROM hours WHERE state IN {_EXPORTED_STATES} AND events > 0 ORDER BY hour LIMIT 1"
_OLDEST_EXPORTED = (
    "SELECT number FROM events INDEXED BY by_time"
    f" WHERE begin_ms >= ? AND begin_ms < ? AND settled = 1 AND state IN {_EXPORTED_STATES} ORDER BY begin_ms LIMIT ?"
)
_OLDEST = "SELECT number FROM events INDEXED BY by_time WHERE settled = 1 ORDER BY begin_ms LIMIT ?"


class Trimmed(msgspec.Struct, frozen=True, kw_only=True):
    """What a piece of trimming did. events: dropped. pictures: their files, to be removed now. more: call it again."""

    events: int = 0
    pictures: tuple[Path, ...] = ()
    more: bool = False


class Retention:
    """Trims a store. Used inside transactions of its writer."""

    def __init__(self, connection: sqlite3.Connection, counts: Counts, folder: Path) -> None:
        self._connection = connection
        self._counts = counts
        self._folder = folder

    def size(self) -> int:
        """Return the bytes of the database without its log."""
        return self._pragma("page_count") * self._pragma("page_size")

    def used(self) -> int:
        """Return the bytes of it that hold something."""
        return self.size() - self._pragma("freelist_count") * self._pragma("page_size")

    def trim(self, max_bytes: int, most: int) -> Trimmed:
        """Do the next piece of work if the store is larger than this: drop at most so many events, or give back
        pages."""
        if self.size() <= max_bytes:
            return Trimmed()
        if self.used() > max_bytes * _CUT_BACK:
            numbers = self._oldest(most)
            if numbers:
                return self._drop(numbers)
        if not self._pragma("freelist_count"):
            return Trimmed()  # what is left is not events
        # fetchall: it works one page for each row that is asked for
        self._connection.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
        return Trimmed(more=self.size() > max_bytes)

    def _drop(self, numbers: list[int]) -> Trimmed:
        files = tuple(pictures.paths(self._connection, numbers, self._folder))
        self._counts.delete(numbers)
        self._counts.clear_empty()
        return Trimmed(events=len(numbers), pictures=files, more=True)

    def _oldest(self, most: int) -> list[int]:
        self._counts.settle(least=1)  # counts and indexes lead to no others
        hour = self._connection.execute(_OLDEST_EXPORTED_HOUR).fetchone()
        if hour is not None:
            with sound_rows():
                begin_ms = int(hour[0]) * schema.HOUR_MS
            rows = self._connection.execute(_OLDEST_EXPORTED, (begin_ms, begin_ms + schema.HOUR_MS, most)).fetchall()
            if rows:
                return [number for (number,) in rows]
        return [number for (number,) in self._connection.execute(_OLDEST, (most,)).fetchall()]

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

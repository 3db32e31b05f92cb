"""Keep the counts of events by hour, label, state and band of scores, and those of missing numbers.

They make what would else be scans of millions of events a matter of milliseconds: counts, which hours hold events of a
rare label, how many events come after a number.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from edge.store import schema

_LEAST = [f"least_{band}" for band in schema.BANDS]


def _add(sign: str, which: str) -> tuple[str, str]:
    """Return the statements that add events to the counts, or take them off. which: a condition."""
    rows = f"FROM events WHERE {which} AND settled = 1 GROUP BY 1, 2, 3"
    same = "ON CONFLICT (hour, label, state) DO UPDATE SET"
    sums = ", ".join(f"{sign}sum(band >= {band})" for band in schema.BANDS)
    changes = ", ".join(f"{column} = {column} + excluded.{column}" for column in _LEAST)
    return (
        f"INSERT INTO hours SELECT hour, shown, state, {sign}count(*) {rows} {same} events = events + excluded.events",
        f"INSERT INTO scores SELECT hour, shown, state, {sums} {rows} {same} {changes}",
    )


_ADD_SETTLED = _add("", "number BETWEEN ? AND ?")
_ADD_CHANGED = _add("", "number IN (SELECT number FROM temp.changing)")
_TAKE_CHANGED = _add("-", "number IN (SELECT number FROM temp.changing)")
_MISSING = (
    f"INSERT INTO missing SELECT number / {schema.BLOCK}, count(*) FROM temp.changing WHERE true GROUP BY 1"
    " ON CONFLICT (block) DO UPDATE SET events = events + excluded.events"
)
_REMEMBER_LAST = (
    "INSERT OR REPLACE INTO fieldfare SELECT 'last_number', :last"
    " WHERE EXISTS (SELECT 1 FROM temp.changing WHERE number = :last)"
)


class Counts:
    """The counts of a store that is open for writing. Used inside its transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("CREATE TEMP TABLE IF NOT EXISTS changing (number INTEGER PRIMARY KEY)")

    def settle(self, *, least: int) -> None:
        """Put the new events into the counts and indexes, if there are at least so many."""
        first, last = last_settled(self._connection) + 1, last_number(self._connection)
        if last - first + 1 < least:
            return
        self._connection.execute("UPDATE events SET settled = 1 WHERE number BETWEEN ? AND ?", (first, last))
        self._execute(_ADD_SETTLED, (first, last))
        self._connection.execute("INSERT OR REPLACE INTO fieldfare VALUES ('settled', ?)", (last,))

    @contextmanager
    def changing(self, numbers: Iterable[int]) -> Iterator[None]:
        """Count these events anew after the block, which changes them. It may use the table temp.changing."""
        self._note(numbers)
        self._execute(_TAKE_CHANGED)
        yield
        self._execute(_ADD_CHANGED)

    def delete(self, numbers: Iterable[int]) -> None:
        """Delete these events, with their marks and the rows of their pictures."""
        self._note(numbers)
        self._connection.execute("DELETE FROM temp.changing WHERE number NOT IN (SELECT number FROM events)")
        self._execute(_TAKE_CHANGED)
        self._connection.execute(_MISSING)
        # A number is never given twice, also if that of the last event goes.
        self._connection.execute(_REMEMBER_LAST, {"last": last_number(self._connection)})
        for table, column in (("marks", "event"), ("pictures", "event"), ("events", "number")):
            self._connection.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT number FROM temp.changing)")

    def skip(self, numbers: Iterable[int]) -> None:
        """Give none of these numbers, which come after the last."""
        self._note(numbers)
        self._connection.execute(_MISSING)
        self._connection.execute(
            "INSERT OR REPLACE INTO fieldfare"
            " SELECT 'last_number', number FROM temp.changing ORDER BY number DESC LIMIT 1"
        )

    def clear_empty(self) -> None:
        """Delete counts of nothing, and missing numbers before the first one that is there."""
        self._connection.execute("DELETE FROM hours WHERE events = 0")
        self._connection.execute("DELETE FROM scores WHERE least_0 = 0")
        self._connection.execute(
            f"DELETE FROM missing WHERE block < (SELECT coalesce(min(number), 0) FROM events) / {schema.BLOCK}"
        )

    def _execute(self, statements: tuple[str, ...], values: tuple[int, ...] = ()) -> None:
        for statement in statements:
            self._connection.execute(statement, values)

    def _note(self, numbers: Iterable[int]) -> None:
        self._connection.execute("DELETE FROM temp.changing")
        self._connection.executemany("INSERT OR IGNORE INTO temp.changing VALUES (?)", ((n,) for n in numbers))


def last_number(connection: sqlite3.Connection) -> int:
    """Return the last number that was given, also if its event is not there any more."""
    row = connection.execute(
        "SELECT max(coalesce((SELECT max(number) FROM events), 0),"
        " coalesce((SELECT value FROM fieldfare WHERE key = 'last_number'), 0))"
    ).fetchone()
    return _number(row)


def last_settled(connection: sqlite3.Connection) -> int:
    """Return the number up to which events are in the counts by hour and in the indexes."""
    row = connection.execute("SELECT coalesce((SELECT value FROM fieldfare WHERE key = 'settled'), 0)").fetchone()
    return _number(row)


def _number(row: tuple[object]) -> int:
    if not isinstance(row[0], int):
        raise sqlite3.DatabaseError("a number that is none")  # as SQLite does for damage
    return row[0]


def events_after(connection: sqlite3.Connection, number: int) -> int:
    """Return how many events have a higher number."""
    (first,) = connection.execute("SELECT min(number) FROM events").fetchone()
    last = last_number(connection)
    if first is None or number >= last:
        return 0
    number = max(number, first - 1)
    # Those in the block of the next number are counted; in the blocks behind it, what is missing is known.
    block = (number + 1) // schema.BLOCK
    block_last = min((block + 1) * schema.BLOCK - 1, last)
    (here,) = connection.execute(
        "SELECT count(*) FROM events WHERE number BETWEEN ? AND ?", (number + 1, block_last)
    ).fetchone()
    (missing,) = connection.execute("SELECT coalesce(sum(events), 0) FROM missing WHERE block > ?", (block,)).fetchone()
    return int(here + last - block_last - missing)

"""Find damage in a store: its structure within a time limit, the newest events, the rest a piece at a time."""

import sqlite3
import time
from pathlib import Path

from edge.printable import were
from edge.store import schema
from edge.store.faults import damaged

# A full check reads all of the store: 11 s for 5 million events (1 GB) on a busy desktop, half a minute from a Pi's
# card. The service must not wait for that. SQLite's check stops between rows if its time is over, but not before it has
# been through all pages. So of a large store only the small tables and the newest events are checked at the start; the
# rest follows with `check_some` when there is time, and damage that is met before that is found by whoever meets it.
_LARGE_BYTES = 64 << 20
_SMALL_TABLES = ("fieldfare", "labels", "boots", "origins", "marks", "open_events", "missing", "hours")
_NEWEST = 500
_STEPS_BETWEEN_LOOKS = 10_000

# Rows that one of the indexes does not lead to, or that lead to texts that are not there.
_ASTRAY = """
SELECT count(*) FROM events AS e NOT INDEXED WHERE e.number BETWEEN ? AND ? AND (
    NOT EXISTS (SELECT 1 FROM events AS i INDEXED BY by_identity
        WHERE i.boot = e.boot AND i.sequence = e.sequence AND i.number = e.number)
    OR e.settled AND NOT EXISTS (SELECT 1 FROM events AS i INDEXED BY by_time
        WHERE i.settled = 1 AND i.begin_ms = e.begin_ms AND i.shown = e.shown AND i.state = e.state AND i.band = e.band
        AND i.number = e.number)
    OR e.settled AND NOT EXISTS (SELECT 1 FROM events AS i INDEXED BY by_band
        WHERE i.settled = 1 AND i.band = e.band AND i.hour = e.hour AND i.begin_ms = e.begin_ms
        AND i.shown = e.shown AND i.state = e.state AND i.peak = e.peak AND i.number = e.number)
    OR NOT EXISTS (SELECT 1 FROM labels WHERE id = e.label)
    OR NOT EXISTS (SELECT 1 FROM labels WHERE id = e.shown)
    OR NOT EXISTS (SELECT 1 FROM boots WHERE id = e.boot)
    OR NOT EXISTS (SELECT 1 FROM origins WHERE id = e.origin)
)
"""


def check(connection: sqlite3.Connection, path: Path, seconds: float) -> None:
    """Check the tables' definitions, as much of the structure as time allows, and the newest events.

    Raises DamagedStoreError, and sqlite3.Error for what SQLite itself finds.
    """
    if schema.definitions(connection) != schema.right_definitions():
        raise damaged(path, "its tables are not as they were made")
    _check_structure(connection, path, seconds)
    (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM events").fetchone()
    check_events(connection, path, last - _NEWEST, last)


def _check_structure(connection: sqlite3.Connection, path: Path, seconds: float) -> None:
    ends_s = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > ends_s, _STEPS_BETWEEN_LOOKS)
    large = path.stat().st_size > _LARGE_BYTES
    try:
        for what in _SMALL_TABLES if large else ("1",):
            (found,) = connection.execute(f"PRAGMA quick_check({what})").fetchone()
            if found != "ok":
                raise damaged(path, found)
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_INTERRUPT:
            raise
    finally:
        connection.set_progress_handler(None, 0)


def check_events(connection: sqlite3.Connection, path: Path, first: int, last: int) -> None:
    """Check the events of these numbers and what leads to them. Raises DamagedStoreError."""
    (astray,) = connection.execute(_ASTRAY, (first, last)).fetchone()
    if astray:
        raise damaged(path, f"{were(astray, 'event')} not found by all indexes, of numbers {first} to {last}")

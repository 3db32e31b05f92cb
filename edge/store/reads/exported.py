"""Keep which events were exported in which format, as one value of the store for each format."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from edge.store.faults import damaged
from edge.store.reads.runs import NumberSet

# Not one number up to which all were exported: class folders take events when they are marked, which may be months
# later, and a filter leaves some out. And not the state of events, which is one for all formats, for the budget.
_KEY = "exported "


def find(connection: sqlite3.Connection, path: Path, form: str) -> NumberSet:
    """Return the numbers of the events that were. path: of the store. Raises DamagedStoreError."""
    row = connection.execute("SELECT value FROM fieldfare WHERE key = ?", (_KEY + form,)).fetchone()
    try:
        return NumberSet() if row is None else NumberSet.of_words(str(row[0]))
    except (ValueError, OverflowError) as error:
        raise damaged(path, f"what was exported: {error}") from error


def add(connection: sqlite3.Connection, path: Path, form: str, numbers: Iterable[int]) -> None:
    """Add the numbers of events that were exported. Raises DamagedStoreError."""
    words = (find(connection, path, form) | NumberSet(numbers)).words()
    connection.execute("INSERT OR REPLACE INTO fieldfare VALUES (?, ?)", (_KEY + form, words))

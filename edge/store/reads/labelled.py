"""Find what people named: the events that were marked right or given another label, and their pictures."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from edge.store.records import Labelled
from edge.store.texts import TextReader


def _file(kind: str) -> str:
    return f"(SELECT file FROM pictures INDEXED BY pictures_of WHERE event = m.event AND kind = '{kind}' ORDER BY id)"


_QUERY = (
    f"SELECT e.shown, e.origin, {_file('best')}, {_file('crop')} FROM marks AS m JOIN events AS e ON e.number = m.event"
    " WHERE m.verdict != 'wrong' ORDER BY e.begin_ms, e.number"
)


def find(connection: sqlite3.Connection, texts: TextReader, folder: Path) -> Iterator[Labelled]:
    """Yield them, oldest first. folder: that of the store; files in it are stored relative to it."""
    for label, origin, best, crop in connection.execute(_QUERY):
        yield Labelled(
            label=texts.label(label),
            bundle=texts.origin(origin).bundle,
            best=None if best is None else folder / best,
            crop=None if crop is None else folder / crop,
        )

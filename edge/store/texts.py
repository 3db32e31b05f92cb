"""Keep what repeats in events once: labels, boots, and where events come from. Ids to records and back."""

import sqlite3
from collections.abc import Callable
from typing import NamedTuple, TypeVar

Key = TypeVar("Key")
# A device has a few of each; a model with thousands of labels must not fill the memory all the same.
_MOST_CACHED = 10_000


class Origin(NamedTuple):
    """What made an event or a sample, and where."""

    engine: str
    bundle: str
    camera: str = ""
    fallback: str | None = None
    latitude: float | None = None
    longitude: float | None = None


class Boot(NamedTuple):
    """A boot of a device."""

    device: str
    boot: str


def _cached(cache: dict[Key, int], key: Key, find: Callable[[], int]) -> int:
    """Return the id of this key, found once."""
    if key not in cache:
        if len(cache) >= _MOST_CACHED:
            cache.clear()
        cache[key] = find()
    return cache[key]


class TextWriter:
    """Gives ids to what repeats. Used inside a transaction; `forget` after one that was rolled back."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._labels: dict[str, int] = {}
        self._boots: dict[Boot, int] = {}
        self._origins: dict[Origin, int] = {}

    def forget(self) -> None:
        """Forget ids that may not be in the store."""
        for cache in (self._labels, self._boots, self._origins):
            cache.clear()

    def label(self, text: str) -> int:
        """Return the id of a label."""
        return _cached(self._labels, text, lambda: self._find("labels", "text", (text,)))

    def boot(self, boot: Boot) -> int:
        """Return the id of a boot."""
        return _cached(self._boots, boot, lambda: self._find("boots", "device, boot", boot))

    def origin(self, origin: Origin) -> int:
        """Return the id of an origin."""
        return _cached(self._origins, origin, lambda: self._find("origins", ", ".join(Origin._fields), origin))

    def _find(self, table: str, columns: str, values: tuple[object, ...]) -> int:
        # IS and not =: fallback and position may be NULL.
        same = " AND ".join(f"{column} IS ?" for column in columns.split(", "))
        row = self._connection.execute(f"SELECT id FROM {table} WHERE {same}", values).fetchone()
        if row is None:
            marks = ", ".join("?" * len(values))
            return int(
                self._connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values).lastrowid or 0
            )
        return int(row[0])


class TextReader:
    """Finds what ids stand for. Ids never change, so they are looked up once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._labels: dict[int, str] = {}
        self._boots: dict[int, Boot] = {}
        self._origins: dict[int, Origin] = {}

    def label(self, number: int) -> str:
        """Return the text of a label. Raises LookupError if there is none of this id."""
        if number not in self._labels:
            self._labels = dict(self._connection.execute("SELECT id, text FROM labels"))
        return self._labels[number]

    def boot(self, number: int) -> Boot:
        """Return a boot. Raises LookupError."""
        if number not in self._boots:
            rows = self._connection.execute("SELECT id, device, boot FROM boots")
            self._boots = {row[0]: Boot(*row[1:]) for row in rows}
        return self._boots[number]

    def origin(self, number: int) -> Origin:
        """Return an origin. Raises LookupError."""
        if number not in self._origins:
            rows = self._connection.execute(f"SELECT id, {', '.join(Origin._fields)} FROM origins")
            self._origins = {row[0]: Origin(*row[1:]) for row in rows}
        return self._origins[number]

    def label_id(self, text: str) -> int | None:
        """Return the id of a label, None if there is none."""
        row = self._connection.execute("SELECT id FROM labels WHERE text = ?", (text,)).fetchone()
        return None if row is None else int(row[0])

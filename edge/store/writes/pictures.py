"""Keep the rows of events' pictures, and list them for the budget. The files are the recorder's."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from edge.store import schema
from edge.store.records import StoredPicture, Verdict
from edge.store.rows import MOST_IN_ONE, file_text, places

_INSERT = (
    "INSERT INTO pictures (event, kind, file, size, width, height, captured_mono_s, sha256)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_GROUPS = f"""
SELECT
    p.event, l.text, e.peak, e.runner_up_score, e.begin_ms, m.verdict, e.state & {schema.EXPORTED},
    count(*), sum(p.size)
FROM pictures AS p INDEXED BY pictures_of JOIN events AS e ON e.number = p.event JOIN labels AS l ON l.id = e.shown
LEFT JOIN marks AS m ON m.event = p.event
WHERE p.event > ? GROUP BY p.event ORDER BY p.event LIMIT ?
"""


class PictureGroup(msgspec.Struct, frozen=True, kw_only=True):
    """All pictures of an event, which stay or go together.

    event: its number. label: as StoredEvent.label. second: the runner-up's score, 0 without one.
    verdict: of its mark, None if it has none.
    pictures: how many. size: bytes of all of them.
    """

    event: int
    label: str
    peak: float
    second: float
    begin_wall_s: float
    verdict: Verdict | None
    exported: bool
    pictures: int
    size: int


def add(connection: sqlite3.Connection, event: int, pictures: Sequence[StoredPicture], folder: Path) -> None:
    """Add the pictures of an event, of this number. folder: that of the store."""
    connection.executemany(
        _INSERT,
        (
            (
                *(event, one.kind, file_text(one.path, folder), one.size, one.width, one.height),
                *(one.captured_mono_s, bytes.fromhex(one.sha256)),
            )
            for one in pictures
        ),
    )


def paths(connection: sqlite3.Connection, events: Sequence[int], folder: Path) -> list[Path]:
    """Return the files of these events."""
    found: list[Path] = []
    for begin in range(0, len(events), MOST_IN_ONE):
        some = events[begin : begin + MOST_IN_ONE]
        rows = connection.execute(f"SELECT file FROM pictures WHERE event IN ({places(some)}) ORDER BY event, id", some)
        found += [folder / file for (file,) in rows]
    return found


def files(connection: sqlite3.Connection, folder: Path) -> Iterator[Path]:
    """Yield all files, in no order. What is removed meanwhile does not matter."""
    after = -1
    query = "SELECT id, file FROM pictures WHERE id > ? ORDER BY id LIMIT ?"
    while rows := connection.execute(query, (after, MOST_IN_ONE)).fetchall():
        yield from (folder / file for _, file in rows)
        after = rows[-1][0]


def remove(connection: sqlite3.Connection, events: Sequence[int]) -> None:
    """Remove all pictures of these events."""
    connection.executemany("DELETE FROM pictures WHERE event = ?", ((event,) for event in events))


def groups(connection: sqlite3.Connection) -> Iterator[PictureGroup]:
    """Yield the pictures event by event, in the order of their numbers. What is removed meanwhile does not matter."""
    after = -1
    while rows := connection.execute(_GROUPS, (after, MOST_IN_ONE)).fetchall():
        for event, label, peak, second, begin_ms, verdict, exported, pictures, size in rows:
            yield PictureGroup(
                event=event,
                label=label,
                peak=peak,
                second=second or 0.0,
                begin_wall_s=begin_ms / 1000,
                verdict=verdict,
                exported=bool(exported),
                pictures=pictures,
                size=size,
            )
        after = rows[-1][0]

"""Write what people found and what was exported."""

import sqlite3
from collections.abc import Sequence

from edge.errors import DataError
from edge.store import schema
from edge.store.counting import Counts
from edge.store.records import Mark
from edge.store.rows import MOST_IN_ONE, places
from edge.store.texts import TextWriter

# How many missing numbers a message names.
_MOST_NAMED = 5


def set_mark(
    connection: sqlite3.Connection, texts: TextWriter, counts: Counts, numbers: Sequence[int], mark: Mark | None
) -> None:
    """Mark these events; None takes marks back. Raises DataError, before anything is changed, if one is not there."""
    _check_there(connection, numbers)
    with counts.changing(numbers):
        label = texts.label(mark.label) if mark is not None and mark.label else None
        if mark is None:
            connection.execute("DELETE FROM marks WHERE event IN (SELECT number FROM temp.changing)")
            state = f"state & ~{schema.CHECKED}"
        else:
            connection.execute(
                "INSERT OR REPLACE INTO marks (event, verdict, label, by_whom, wall_s)"
                " SELECT number, ?, ?, ?, ? FROM temp.changing",
                (mark.verdict, label, mark.by, mark.wall_s),
            )
            state = f"state | {schema.CHECKED}"
        connection.execute(
            f"UPDATE events SET shown = coalesce(?, label), state = {state}"
            " WHERE number IN (SELECT number FROM temp.changing)",
            (label,),
        )


def note_exported(
    connection: sqlite3.Connection, counts: Counts, events: Sequence[int], samples: Sequence[int]
) -> None:
    """Note that these events and samples were exported. One that was dropped meanwhile is no error."""
    with counts.changing(events):
        connection.execute(
            f"UPDATE events SET state = state | {schema.EXPORTED} WHERE number IN (SELECT number FROM temp.changing)"
        )
    connection.executemany("UPDATE samples SET exported = 1 WHERE number = ?", ((number,) for number in samples))


def _check_there(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    missing = set(numbers)
    for begin in range(0, len(numbers), MOST_IN_ONE):
        some = numbers[begin : begin + MOST_IN_ONE]
        missing -= {
            n for (n,) in connection.execute(f"SELECT number FROM events WHERE number IN ({places(some)})", some)
        }
    if missing:
        named = ", ".join(map(str, sorted(missing)[:_MOST_NAMED]))
        rest = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        raise DataError(f"no event of number {named}{rest} is in the store: `fieldfare events` lists those that are")

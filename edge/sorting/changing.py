"""Change a session's database: decisions, merging, splitting, and taking steps back. Inside a transaction."""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from itertools import islice

from edge.errors import DataError
from edge.sorting import reading
from edge.sorting.records import STATES, Action, Change, Found, State, Step

# How many steps can be taken back. What older ones changed is forgotten.
MOST_STEPS = 1000
_MOST_IN_ONE = 500
_AT_ONCE = 5000
_STATES: dict[Action, State] = {"name": "named", "out": "out", "skip": "skipped", "reopen": "open"}


class RefusedError(DataError):
    """A change that cannot be done, such as one of a group that is not there."""


class ConflictError(RefusedError):
    """Somebody else changed the same pictures after the page was made. count: how many of them."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} of these pictures were changed on another page meanwhile")
        self.count = count


def add(connection: sqlite3.Connection, found: Iterable[Found]) -> int:
    """Add pictures whose keys are not there yet, group by group in their order. Return how many were added.

    Their groups come after those that are there, in the order of their numbers.
    """
    (first,) = connection.execute("SELECT coalesce(max(id), 0) FROM groups").fetchone()
    (place,) = connection.execute("SELECT coalesce(max(place), 0) FROM pictures").fetchone()
    (before,) = connection.execute("SELECT count(*) FROM pictures").fetchone()
    waiting = iter(found)
    while batch := list(islice(waiting, _AT_ONCE)):
        titles = {first + one.group: one.title for one in batch}
        connection.executemany(
            "INSERT OR IGNORE INTO groups (id, place, title) VALUES (?, ?, ?)",
            [(number, number, title) for number, title in titles.items()],
        )
        connection.executemany(
            "INSERT OR IGNORE INTO pictures (key, file, hint, grp, place) VALUES (?, ?, ?, ?, ?)",
            [(one.key, one.file, one.hint, first + one.group, place + i) for i, one in enumerate(batch, 1)],
        )
        place += len(batch)
    return int(connection.execute("SELECT count(*) FROM pictures").fetchone()[0]) - int(before)


def carry_out(connection: sqlite3.Connection, change: Change) -> Step | None:
    """Carry out what a person wants. Return the step; None if it changes nothing.

    Raises ConflictError if somebody else changed these pictures since, RefusedError for a group that is not there.
    """
    numbers = _wanted(connection, change)
    if change.seen is not None:
        _refuse_changed(connection, numbers, change.seen)
    if not numbers:
        return None
    step = _note(connection, change.action, change.name, change.by, numbers)
    if change.action == "merge":
        _move(connection, numbers, _first_of(connection, change.groups))
    elif change.action == "split":
        _move(connection, numbers, _group_behind(connection, _first_of(connection, change.groups)))
    else:
        _decide(connection, numbers, _STATES[change.action], change)
    _forget(connection, step)
    return Step(step, change.action, change.name, len(numbers))


def _wanted(connection: sqlite3.Connection, change: Change) -> list[int]:
    """Return the numbers of the pictures to change, each that is there once."""
    found: list[int] = []
    if change.pictures is not None:
        for some in _pieces(sorted(set(change.pictures))):
            query = f"SELECT id FROM pictures WHERE id IN ({_marks(some)})"
            found += [number for (number,) in connection.execute(query, some)]
        return found
    groups = change.groups[1:] if change.action == "merge" else change.groups
    rule = "" if change.action == "merge" else " AND state = 0"
    for some in _pieces(groups):
        query = f"SELECT id FROM pictures WHERE grp IN ({_marks(some)}){rule}"
        found += [number for (number,) in connection.execute(query, some)]
    return found


def _refuse_changed(connection: sqlite3.Connection, numbers: Sequence[int], seen: int) -> None:
    changed = 0
    for some in _pieces(numbers):
        query = f"SELECT count(DISTINCT picture) FROM changes WHERE step > ? AND picture IN ({_marks(some)})"
        changed += connection.execute(query, (seen, *some)).fetchone()[0]
    if changed:
        raise ConflictError(changed)


def _note(connection: sqlite3.Connection, action: str, name: str, by: str, numbers: Sequence[int]) -> int:
    """Write down the step and how its pictures were before. Return its number."""
    row = (action, name, len(numbers), by, _now_ms())
    step = connection.execute(
        "INSERT INTO steps (action, name, count, by, wall_ms) VALUES (?, ?, ?, ?, ?)", row
    ).lastrowid
    assert step is not None
    connection.executemany(
        "INSERT INTO changes SELECT ?, id, grp, state, name, by, wall_ms FROM pictures WHERE id = ?",
        [(step, number) for number in numbers],
    )
    return step


def _decide(connection: sqlite3.Connection, numbers: Sequence[int], state: State, change: Change) -> None:
    name = None
    if state == "named":
        connection.execute("INSERT OR IGNORE INTO names (name) VALUES (?)", (change.name,))
        (name,) = connection.execute("SELECT id FROM names WHERE name = ?", (change.name,)).fetchone()
    who, when = ("", 0) if state == "open" else (change.by, _now_ms())
    connection.executemany(
        "UPDATE pictures SET state = ?, name = ?, by = ?, wall_ms = ? WHERE id = ?",
        [(STATES.index(state), name, who, when, number) for number in numbers],
    )


def _move(connection: sqlite3.Connection, numbers: Sequence[int], group: int) -> None:
    connection.executemany("UPDATE pictures SET grp = ? WHERE id = ?", [(group, number) for number in numbers])


def _first_of(connection: sqlite3.Connection, groups: Sequence[int]) -> int:
    row = connection.execute("SELECT id FROM groups WHERE id = ?", (groups[0] if groups else None,)).fetchone()
    if row is None:
        raise RefusedError("there is no such group")
    return int(row[0])


def _group_behind(connection: sqlite3.Connection, group: int) -> int:
    """Make a group right behind another, and return its number."""
    place, title = connection.execute("SELECT place, title FROM groups WHERE id = ?", (group,)).fetchone()
    connection.execute("UPDATE groups SET place = place + 1 WHERE place > ?", (place,))
    made = connection.execute("INSERT INTO groups (place, title) VALUES (?, ?)", (place + 1, title)).lastrowid
    assert made is not None
    return made


def take_back(connection: sqlite3.Connection, wanted: int, by: str) -> Step | None:
    """Take the last step back, if it is still step `wanted`. Return it; None if there is none.

    Raises ConflictError if another step came after it.
    """
    step = reading.last_step(connection)
    if step is None:
        return None
    if step.number != wanted:
        raise ConflictError(step.count)
    rows = connection.execute("SELECT * FROM changes WHERE step = ?", (step.number,)).fetchall()
    undo = _note(connection, "undo", step.name, by, [row[1] for row in rows])
    connection.executemany(
        "UPDATE pictures SET grp = ?, state = ?, name = ?, by = ?, wall_ms = ? WHERE id = ?",
        [(*row[2:], row[1]) for row in rows],
    )
    connection.execute("UPDATE steps SET undone = ? WHERE id = ?", (undo, step.number))
    return step


def _forget(connection: sqlite3.Connection, step: int) -> None:
    connection.execute("DELETE FROM changes WHERE step <= ?", (step - MOST_STEPS,))


def _pieces(numbers: Sequence[int]) -> Iterable[Sequence[int]]:
    return (numbers[begin : begin + _MOST_IN_ONE] for begin in range(0, len(numbers), _MOST_IN_ONE))


def _marks(numbers: Sequence[int]) -> str:
    return ",".join("?" * len(numbers))


def _now_ms() -> int:
    return round(time.time() * 1000)

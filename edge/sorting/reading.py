"""Read a session's database: totals, lists of groups, pages of pictures."""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from edge.sorting.records import ACTIONS, STATES, Action, Group, Part, Picture, State, Step, Totals

_PICTURE = (
    "SELECT p.id, p.file, p.grp, p.hint, p.state, n.name, p.by, p.wall_ms"
    " FROM pictures AS p LEFT JOIN names AS n ON n.id = p.name"
)
_MOST_NAMES = 5


def totals(connection: sqlite3.Connection) -> Totals:
    """Return how many pictures and groups there are."""
    counts = dict.fromkeys(STATES, 0)
    for state, count in connection.execute("SELECT state, count(*) FROM pictures GROUP BY state"):
        counts[STATES[state]] = count
    groups, open_groups = connection.execute(
        "SELECT count(DISTINCT grp), count(DISTINCT CASE state WHEN 0 THEN grp END) FROM pictures"
    ).fetchone()
    return Totals(counts, groups, open_groups)


def names(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """Return all names that pictures have, with their numbers of pictures, commonest first."""
    found: list[tuple[str, int]] = connection.execute(
        "SELECT n.name, count(*) AS many FROM pictures AS p JOIN names AS n ON n.id = p.name"
        " WHERE p.state = 1 GROUP BY p.name ORDER BY many DESC, n.name"
    ).fetchall()
    return found


def groups(
    connection: sqlite3.Connection, *, only_open: bool, skip: int, limit: int, samples: int
) -> tuple[list[Group], int]:
    """Return a page of the groups that have pictures, neighbours alike, and how many there are on all pages."""
    having = "HAVING sum(state = 0) > 0" if only_open else ""
    rows = connection.execute(
        f"SELECT p.grp, g.title FROM pictures AS p JOIN groups AS g ON g.id = p.grp"
        f" GROUP BY p.grp {having} ORDER BY g.place, g.id"
    ).fetchall()
    return [_group(connection, number, title, samples) for number, title in rows[skip : skip + limit]], len(rows)


def group(connection: sqlite3.Connection, number: int, samples: int) -> Group | None:
    """Return one group; None if it has no picture."""
    row = connection.execute("SELECT title FROM groups WHERE id = ?", (number,)).fetchone()
    found = None if row is None else _group(connection, number, row[0], samples)
    return found if found is not None and found.size else None


def _group(connection: sqlite3.Connection, number: int, title: str, samples: int) -> Group:
    counts = dict.fromkeys(STATES, 0)
    by_name: dict[str, int] = defaultdict(int)
    for state, name, count in connection.execute(
        "SELECT p.state, n.name, count(*) FROM pictures AS p LEFT JOIN names AS n ON n.id = p.name"
        " WHERE p.grp = ? GROUP BY p.state, p.name",
        (number,),
    ):
        counts[STATES[state]] += count
        if name is not None:
            by_name[name] += count
    common = sorted(by_name, key=lambda name: (-by_name[name], name))[:_MOST_NAMES]
    shown = _spread(connection, number, counts, samples)
    return Group(number, title, counts, common, _hints(connection, number), shown)


def _hints(connection: sqlite3.Connection, number: int) -> list[str]:
    """Return what most pictures of a group may show."""
    query = "SELECT hint FROM pictures WHERE grp = ? AND hint != '' GROUP BY hint ORDER BY count(*) DESC, hint LIMIT ?"
    return [hint for (hint,) in connection.execute(query, (number, _MOST_NAMES))]


def _spread(connection: sqlite3.Connection, number: int, counts: dict[State, int], wanted: int) -> list[int]:
    """Return the numbers of some pictures, evenly spread over a group: of its open ones, if there are any."""
    where, many = ("grp = ? AND state = 0", counts["open"]) if counts["open"] else ("grp = ?", sum(counts.values()))
    shown = min(wanted, many)
    picked = {round(i * (many - 1) / max(1, shown - 1)) for i in range(shown)}
    query = f"SELECT id FROM pictures WHERE {where} ORDER BY place LIMIT 1 OFFSET ?"
    return [connection.execute(query, (number, offset)).fetchone()[0] for offset in sorted(picked)]


def neighbours(connection: sqlite3.Connection, number: int) -> tuple[int | None, int | None]:
    """Return the groups with open pictures before and after this one; None for none."""
    row = connection.execute("SELECT place, id FROM groups WHERE id = ?", (number,)).fetchone()
    if row is None:
        return None, None
    query = (
        "SELECT g.id FROM groups AS g WHERE (g.place, g.id) {side} (?, ?)"
        " AND EXISTS (SELECT 1 FROM pictures AS p WHERE p.grp = g.id AND p.state = 0)"
        " ORDER BY g.place {way}, g.id {way} LIMIT 1"
    )
    before = connection.execute(query.format(side="<", way="DESC"), row).fetchone()
    after = connection.execute(query.format(side=">", way="ASC"), row).fetchone()
    return before and before[0], after and after[0]


def part_where(part: Part) -> tuple[str, list[Any]]:
    """Return the condition that a part's pictures fulfil, and its values."""
    conditions, values = ["1"], list[Any]()
    if part.group is not None:
        conditions.append("grp = ?")
        values.append(part.group)
    if part.state is not None:
        conditions.append("state = ?")
        values.append(STATES.index(part.state))
    if part.name is not None:
        conditions.append("state = 1 AND name = (SELECT id FROM names WHERE name = ?)")
        values.append(part.name)
    return " AND ".join(conditions), values


def count(connection: sqlite3.Connection, part: Part) -> int:
    """Return how many pictures a part has."""
    where, values = part_where(part)
    return int(connection.execute(f"SELECT count(*) FROM pictures WHERE {where}", values).fetchone()[0])


def pictures(connection: sqlite3.Connection, part: Part, skip: int, limit: int) -> list[Picture]:
    """Return a page of a part's pictures, neighbours alike."""
    where, values = part_where(part)
    rows = connection.execute(
        f"{_PICTURE} WHERE p.id IN (SELECT id FROM pictures WHERE {where} ORDER BY place LIMIT ? OFFSET ?)"
        " ORDER BY p.place",
        (*values, limit, skip),
    )
    return [_picture(row) for row in rows]


def picture(connection: sqlite3.Connection, number: int) -> Picture | None:
    """Return one picture; None if there is none."""
    row = connection.execute(f"{_PICTURE} WHERE p.id = ?", (number,)).fetchone()
    return None if row is None else _picture(row)


def named_after(connection: sqlite3.Connection, number: int, limit: int) -> list[Picture]:
    """Return the next named pictures after this number, by number."""
    rows = connection.execute(f"{_PICTURE} WHERE p.id > ? AND p.state = 1 ORDER BY p.id LIMIT ?", (number, limit))
    return [_picture(row) for row in rows]


def _picture(row: Sequence[Any]) -> Picture:
    number, file, group_, hint, state, name, by, wall_ms = row
    return Picture(number, file, group_, hint, STATES[state], name or "", by, wall_ms / 1000)


def last_number(connection: sqlite3.Connection) -> int:
    """Return the number of the last step of all, taken back or not; 0 for none."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM steps").fetchone()[0])


def last_step(connection: sqlite3.Connection) -> Step | None:
    """Return the last step that can be taken back."""
    row = connection.execute(
        "SELECT id, action, name, count FROM steps WHERE undone = 0 AND action != 'undo'"
        " AND EXISTS (SELECT 1 FROM changes WHERE step = steps.id) ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return None if row is None else Step(row[0], _action(row[1]), row[2], row[3])


def _action(text: str) -> Action:
    for action in ACTIONS:
        if action == text:
            return action
    raise sqlite3.DatabaseError(f"no action is called {text[:40]!r}")


def about(connection: sqlite3.Connection) -> dict[str, str]:
    """Return what was noted about the session, by key."""
    return dict(connection.execute("SELECT key, value FROM about").fetchall())

"""Count the events of a selection, in all or by hour and label, mostly without looking at them."""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from edge.store import schema
from edge.store.reads.selecting import SETTLED, Condition, Selection, counted


class _Part(NamedTuple):
    """A part of the events: which table knows them, by what names, and the condition."""

    table: str
    hour: str
    label: str
    events: str
    condition: Condition


def total(connection: sqlite3.Connection, selection: Selection) -> int:
    """Return how many events there are."""
    found = 0
    for part in _parts(selection):
        query = f"SELECT coalesce(sum({part.events}), 0) FROM {part.table} WHERE {part.condition.sql}"
        if part.events == "1":
            query = f"SELECT count(*) FROM {part.table} WHERE {part.condition.sql}"
        found += connection.execute(query, part.condition.values).fetchone()[0]
    return found


def by_hour(connection: sqlite3.Connection, selection: Selection) -> list[list[tuple[int, int, int]]]:
    """Return lists of (hour, label, how many events). In each of them an hour and a label are there once."""
    found: list[list[tuple[int, int, int]]] = []
    for part in _parts(selection):
        count = "count(*)" if part.events == "1" else f"sum({part.events})"
        query = (
            f"SELECT {part.hour}, {part.label}, {count} AS found FROM {part.table} WHERE {part.condition.sql}"
            " GROUP BY 1, 2 HAVING found > 0"
        )
        found.append(connection.execute(query, part.condition.values).fetchall())
    return found


def _parts(selection: Selection) -> Iterator[_Part]:
    """Yield the parts that the selection falls into: recent events, whole hours, and pieces of hours at its ends."""
    if selection.is_empty:
        return
    yield _Part("events NOT INDEXED", "hour", "shown", "1", selection.recent())
    first, end = -(-selection.begin_ms // schema.HOUR_MS), selection.end_ms // schema.HOUR_MS
    if first > end:  # both ends are inside one hour
        yield _events_between(selection, selection.begin_ms, selection.end_ms)
        return
    for begin_ms, end_ms in ((selection.begin_ms, first * schema.HOUR_MS), (end * schema.HOUR_MS, selection.end_ms)):
        if begin_ms < end_ms:
            yield _events_between(selection, begin_ms, end_ms)
    if first < end:
        yield from _whole_hours(selection, first, end)


def _events_between(selection: Selection, begin_ms: int, end_ms: int) -> _Part:
    condition = SETTLED & selection.between(begin_ms, end_ms)
    condition &= selection.facts("shown") & selection.peaks()
    return _Part("events INDEXED BY by_time", "hour", "shown", "1", condition)


def _whole_hours(selection: Selection, first: int, end: int) -> Iterator[_Part]:
    whole, cut = selection.bands()
    if whole:
        table, events = counted(whole)
        among = Condition("hour >= ? AND hour < ?", (first, end)) & selection.facts("label")
        yield _Part(table, "hour", "label", events, among)
    for band in cut:
        condition = SETTLED & Condition("band = ? AND hour >= ? AND hour < ?", (band, first, end))
        condition &= selection.facts("shown") & selection.peaks()
        yield _Part("events INDEXED BY by_band", "hour", "shown", "1", condition)

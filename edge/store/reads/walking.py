"""Walk through the events of a selection in the order of time, a page at a time."""

import heapq
import sqlite3
from collections.abc import Iterator, Sequence

from edge.store import schema
from edge.store.reads.selecting import SETTLED, Condition, Selection, counted

# Hours that are found at once. Each is one look into by_time.
_HOURS_AT_ONCE = 200
# When an event began, and its number: what the order is by.
Place = tuple[int, int]


class Walk:
    """The events of a selection, as their places in time. Every page is read to its end, so that the caller may begin a
    new transaction between two."""

    # Three ways, each the quickest for its kind of question on 5 million events (tools/bench_store.py):
    # - by time: most events match.
    # - by hours: few match, for their label or state; the counts by hour lead to the hours that hold some.
    # - by band: the score decides. Whole bands go by hours; of one that is cut, all entries are looked at.

    def __init__(self, connection: sqlite3.Connection, selection: Selection, *, newest_first: bool, page: int) -> None:
        """page: how many events are read at once."""
        self._connection = connection
        self._selection = selection
        self._page = page
        self._newest_first = newest_first
        self._order = "DESC" if newest_first else "ASC"

    def places(self) -> Iterator[Place]:
        """Yield the places, in order."""
        selection = self._selection
        if selection.is_empty:
            return
        recent = self._pages("NOT INDEXED", selection.recent(), "begin_ms")
        yield from heapq.merge(recent, *self._settled(), reverse=self._newest_first)

    def _settled(self) -> Iterator[Iterator[Place]]:
        """Yield streams that together have the events that are in the indexes."""
        selection = self._selection
        whole, cut = selection.bands()
        if selection.is_picky:
            yield self._by_hours([*whole, *cut], selection.peaks())
        elif len(whole) == len(schema.BANDS):
            yield self._by_time(selection.begin_ms, selection.end_ms, Condition(""))
        else:
            yield from (self._by_band(band) for band in cut)
            if whole:
                yield self._by_hours(whole, Condition(""))

    def _by_hours(self, bands: Sequence[int], peaks: Condition) -> Iterator[Place]:
        in_bands = Condition("band BETWEEN ? AND ?", (min(bands), max(bands)))
        for hour in self._hours(bands):
            begin_ms = max(self._selection.begin_ms, hour * schema.HOUR_MS)
            end_ms = min(self._selection.end_ms, (hour + 1) * schema.HOUR_MS)
            yield from self._by_time(begin_ms, end_ms, in_bands & peaks)

    def _hours(self, bands: Sequence[int]) -> Iterator[int]:
        """Yield the hours that hold events of the selection's labels and states in these bands."""
        table, events = counted(bands)
        first, last = self._ends()
        while True:
            among = Condition("hour BETWEEN ? AND ?", (first, last)) & self._selection.facts("label")
            among &= Condition(f"{events} > 0")
            query = f"SELECT DISTINCT hour FROM {table} WHERE {among.sql} ORDER BY hour {self._order} LIMIT ?"
            hours = [hour for (hour,) in self._connection.execute(query, (*among.values, _HOURS_AT_ONCE))]
            yield from hours
            if len(hours) < _HOURS_AT_ONCE:
                return
            first, last = (first, hours[-1] - 1) if self._newest_first else (hours[-1] + 1, last)

    def _by_time(self, begin_ms: int, end_ms: int, more: Condition) -> Iterator[Place]:
        among = SETTLED & self._selection.between(begin_ms, end_ms) & self._selection.facts("shown") & more
        return self._pages("INDEXED BY by_time", among, "begin_ms")

    def _by_band(self, band: int) -> Iterator[Place]:
        selection = self._selection
        among = SETTLED & Condition("band = ? AND hour BETWEEN ? AND ?", (band, *self._ends()))
        among &= selection.between(selection.begin_ms, selection.end_ms) & selection.facts("shown") & selection.peaks()
        return self._pages("INDEXED BY by_band", among, "hour")

    def _ends(self) -> tuple[int, int]:
        """Return the first and the last hour that the selection touches."""
        return self._selection.begin_ms // schema.HOUR_MS, (self._selection.end_ms - 1) // schema.HOUR_MS

    def _pages(self, index: str, among: Condition, leading: str) -> Iterator[Place]:
        """Yield places page by page. leading: what the index is in order of; "hour" leads to the same order."""
        order = ", ".join(f"{column} {self._order}" for column in dict.fromkeys((leading, "begin_ms", "number")))
        behind = Condition("")
        while True:
            condition = among & behind
            query = f"SELECT begin_ms, number FROM events {index} WHERE {condition.sql} ORDER BY {order} LIMIT ?"
            found: list[Place] = self._connection.execute(query, (*condition.values, self._page)).fetchall()
            yield from found
            if len(found) < self._page:
                return
            behind = self._behind(*found[-1], leading)

    def _behind(self, begin_ms: int, number: int, leading: str) -> Condition:
        """Return the condition on what comes after this place. Its first part is for the index."""
        than = "<" if self._newest_first else ">"
        reached = begin_ms if leading == "begin_ms" else begin_ms // schema.HOUR_MS
        return Condition(
            f"{leading} {than}= ? AND (begin_ms {than} ? OR begin_ms = ? AND number {than} ?)",
            (reached, begin_ms, begin_ms, number),
        )

"""Turn a Filter into conditions on the tables, so that each question reads as little as it can."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from edge.store import schema
from edge.store.records import Filter
from edge.store.texts import TextReader

_ANY_STATE = (0, 1, 2, 3)
_EARLIEST_MS, _LATEST_MS = -(1 << 60), 1 << 60


class Condition(NamedTuple):
    """A piece of SQL with the values for its question marks."""

    sql: str
    values: tuple[object, ...] = ()

    def __and__(self, other: "Condition") -> "Condition":
        return Condition(" AND ".join(filter(None, (self.sql, other.sql))), (*self.values, *other.values))


# Without this a query cannot use by_time and by_band.
SETTLED = Condition("settled = 1")


class Selection(NamedTuple):
    """What a Filter asks for, in the store's own terms.

    labels: their ids, None for all. states: of `state`. begin_ms <= begin < end_ms.
    least, most: bounds of the peak, None for none.
    settled: the number up to which events are in the indexes.
    """

    labels: tuple[int, ...] | None
    states: tuple[int, ...]
    begin_ms: int
    end_ms: int
    least: float | None
    most: float | None
    settled: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing can match."""
        crossed = self.least is not None and self.most is not None and self.least > self.most
        return self.labels == () or self.begin_ms >= self.end_ms or crossed

    @property
    def is_picky(self) -> bool:
        """Whether it may match few of the events in an hour, so that most hours need not be looked at."""
        return self.labels is not None or self.states != _ANY_STATE

    def facts(self, label: str) -> Condition:
        """Return the condition on the label, in the column of this name, and on the state."""
        found = Condition("")
        if self.labels is not None:
            found &= Condition(f"{label} IN ({', '.join('?' * len(self.labels))})", self.labels)
        if self.states != _ANY_STATE:
            found &= Condition(f"state IN ({', '.join('?' * len(self.states))})", self.states)
        return found

    def peaks(self) -> Condition:
        """Return the condition on the peak itself."""
        found = Condition("")
        if self.least is not None:
            found &= Condition("peak >= ?", (self.least,))
        if self.most is not None:
            found &= Condition("peak <= ?", (self.most,))
        return found

    def between(self, begin_ms: int, end_ms: int) -> Condition:
        """Return the condition on the begin."""
        return Condition("begin_ms >= ? AND begin_ms < ?", (begin_ms, end_ms))

    def recent(self) -> Condition:
        """Return all conditions for the events that are not in the indexes yet."""
        among = Condition("number > ?", (self.settled,)) & self.between(self.begin_ms, self.end_ms)
        return among & self.facts("shown") & self.peaks()

    def bands(self) -> tuple[Sequence[int], Sequence[int]]:
        """Return the bands all of whose events match, by their peak, and those of which some may."""
        low = 0 if self.least is None else schema.band_of(self.least)
        high = schema.BANDS[-1] if self.most is None else schema.band_of(self.most)
        cut = set()
        if self.least is not None and (low == 0 or self.least != schema.BAND_BOUNDS[low - 1]):
            cut.add(low)
        if self.most is not None:
            cut.add(high)
        touched = range(low, high + 1)
        return [band for band in touched if band not in cut], [band for band in touched if band in cut]


def counted(bands: Sequence[int]) -> tuple[str, str]:
    """Return the table that counts the events of these bands, which lie side by side, and its expression for that."""
    low, high = min(bands), max(bands)
    if (low, high) == (0, schema.BANDS[-1]):
        return "hours", "events"
    return "scores", f"least_{low}" if high == schema.BANDS[-1] else f"(least_{low} - least_{high + 1})"


def select(wanted: Filter, texts: TextReader, settled: int) -> Selection:
    """Return what a Filter asks for. Labels that the store does not have match nothing."""
    ids = [texts.label_id(label) for label in dict.fromkeys(wanted.labels)]
    return Selection(
        labels=tuple(number for number in ids if number is not None) if wanted.labels else None,
        states=tuple(
            state
            for state in _ANY_STATE
            if wanted.checked in (None, bool(state & schema.CHECKED))
            and wanted.exported in (None, bool(state & schema.EXPORTED))
        ),
        begin_ms=_first_ms(wanted.since_wall_s, _EARLIEST_MS),
        end_ms=_first_ms(wanted.until_wall_s, _LATEST_MS),
        least=wanted.least_score,
        most=wanted.most_score,
        settled=settled,
    )


def _first_ms(seconds: float | None, default: int) -> int:
    """Return the first millisecond at or after a time."""
    if seconds is None:
        return default
    if not math.isfinite(seconds):
        return _LATEST_MS if seconds > 0 else _EARLIEST_MS
    # Rounded to microseconds first: begin_ms / 1000 * 1000 may be a little more than begin_ms.
    return min(max(math.ceil(round(seconds * 1000, 3)), _EARLIEST_MS), _LATEST_MS)

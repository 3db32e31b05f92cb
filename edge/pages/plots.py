"""Draw counts as SVG, without a script and without a style inside it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from edge.store.records import HourCount

MOST_LABELS = 12
HOURS = 24


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a plot: a label, how many events, and its bar's length as a share of the longest, 0..1."""

    label: str
    events: int
    length: float


@dataclass(frozen=True, slots=True)
class Column:
    """One hour of the day: how many events began in it, and the column's height as a share of the highest, 0..1."""

    hour: int
    events: int
    height: float


def bars(counts: Iterable[HourCount]) -> tuple[Sequence[Bar], int]:
    """Return a bar for each of the commonest labels, and how many other labels there are."""
    totals: Counter[str] = Counter()
    for one in counts:
        totals[one.label] += one.events
    shown = totals.most_common(MOST_LABELS)
    most = shown[0][1] if shown else 1
    return [Bar(label, events, events / most) for label, events in shown], len(totals) - len(shown)


def columns(counts: Iterable[HourCount]) -> Sequence[Column]:
    """Return a column for each hour of the day, by this machine's time zone."""
    totals: Counter[int] = Counter()
    for one in counts:
        totals[_hour_of_day(one.hour_s)] += one.events
    most = max(totals.values(), default=1)
    return [Column(hour, totals[hour], totals[hour] / most) for hour in range(HOURS)]


def _hour_of_day(wall_s: int) -> int:
    try:
        return datetime.fromtimestamp(wall_s).hour
    except (ValueError, OverflowError, OSError):  # a clock that was wrong by ages
        return wall_s // 3600 % HOURS

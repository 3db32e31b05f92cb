"""Draw counts as SVG, without a script and without a style inside it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from edge.events.score_curve import AROUND_S, Curve
from edge.store.records import HourCount

MOST_LABELS = 12
HOURS = 24
# Of a score curve, in the units of its picture.
WIDTH, HEIGHT = 480, 120


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


@dataclass(frozen=True, slots=True)
class Line:
    """A score curve as a picture of WIDTH x HEIGHT. points: for a polyline. begin, end: of the event, from the left.

    threshold: from the top; None if it is not known. least, most: of the scores, 0..1. lasts_s: what the width shows.
    """

    points: str
    begin: float
    end: float
    threshold: float | None
    least: float
    most: float
    lasts_s: float


def line(curve: Curve, event_s: float) -> Line:
    """Return a curve as a line, of at most one point for each unit of its width: the highest of those that fall on it.

    event_s: how long the event lasted.
    """
    lasts_s = max(event_s, curve.seconds[-1] - AROUND_S, 0.0) + 2 * AROUND_S
    highest: dict[int, float] = {}
    for second, score in zip(curve.seconds, curve.scores, strict=True):
        column = min(WIDTH, max(0, round((second + AROUND_S) / lasts_s * WIDTH)))
        highest[column] = max(score, highest.get(column, 0.0))
    return Line(
        points=" ".join(f"{column},{(1 - score) * HEIGHT:.1f}" for column, score in sorted(highest.items())),
        begin=AROUND_S / lasts_s * WIDTH,
        end=(AROUND_S + event_s) / lasts_s * WIDTH,
        threshold=None if curve.threshold is None else (1 - curve.threshold) * HEIGHT,
        least=min(curve.scores),
        most=max(curve.scores),
        lasts_s=lasts_s,
    )

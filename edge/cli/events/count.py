"""fieldfare events count: how many of what, and when, with a plot in the terminal."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import click

from edge.cli.events.options import (
    filter_of,
    filter_options,
    json_option,
    note_missing_log,
    note_strange_labels,
    store_of,
    store_options,
    values_of,
)
from edge.cli.streams import echo, echo_json

if TYPE_CHECKING:
    from edge.store.records import HourCount

_HOURS = range(24)
_LABEL = 20
_BAR = 36
_BLOCKS = " ▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = " .:-=+*%#"


@click.command(epilog="Example: fieldfare events count --by day --since 30d")
@store_options
@filter_options
@click.option(
    "--by", type=click.Choice(["hour", "day"]), default="hour", show_default=True, help="Hour of the day, or day."
)
@json_option
@click.pass_context
def count(context: click.Context, /, by: str, **_: Any) -> None:
    """Count events by label, and by the hour of the day or by day, in local time."""
    from edge.store.reading import StoreReader

    values = values_of(context)
    wanted = filter_of(values)
    with StoreReader(store_of(values)) as reader:
        note_missing_log(reader)
        note_strange_labels(reader, wanted)
        hours = reader.hours(wanted)
    if values["as_json"]:
        for row in rows(hours, by):
            echo_json(row)
        return
    if not hours:
        echo("no events")
        return
    for line in by_hour(hours, _blocks()) if by == "hour" else by_day(hours, _blocks()):
        echo(line)


def rows(hours: "Iterable[HourCount]", by: str) -> Iterator[dict[str, Any]]:
    """Yield one object for each label and hour of the day, or label and day, that has events."""
    counts: Counter[tuple[Any, str]] = Counter()
    for one in hours:
        began = _local(one)
        counts[(began.hour if by == "hour" else began.date().isoformat(), one.label)] += one.events
    for (when, label), number in sorted(counts.items()):
        yield {"label": label, by: when, "events": number}


def by_hour(hours: "Iterable[HourCount]", blocks: str) -> Iterator[str]:
    """Yield a line for each label, commonest first: its number and a column for each hour of the day."""
    from edge.cli.events.table import fit

    counts: dict[str, Counter[int]] = {}
    for one in hours:
        counts.setdefault(one.label, Counter())[_local(one).hour] += one.events
    yield f"{fit('LABEL', _LABEL)} {'EVENTS':>9}  " + "".join(f"{hour:<12}" for hour in (0, 6, 12, 18)).rstrip()
    lines = sorted(counts.items(), key=lambda item: -item[1].total())
    if len(lines) > 1:
        lines.append(("all", sum(counts.values(), Counter())))
    for label, found in lines:
        tallest = max(found.values())
        plot = "".join(2 * _block(found[hour], tallest, blocks) for hour in _HOURS)
        yield f"{fit(label, _LABEL)} {found.total():>9,}  {plot}".rstrip()


def by_day(hours: "Iterable[HourCount]", blocks: str) -> Iterator[str]:
    """Yield a line for each day: its number, a bar, and the three commonest labels."""
    days: dict[str, Counter[str]] = {}
    for one in hours:
        days.setdefault(_local(one).date().isoformat(), Counter())[one.label] += one.events
    most = max(found.total() for found in days.values())
    yield f"{'DAY':<10} {'EVENTS':>7}"
    for day, found in sorted(days.items()):
        bar = blocks[-1] * max(1, round(found.total() / most * _BAR))
        yield f"{day:<10} {found.total():>7,}  {bar:<{_BAR}} {_commonest(found)}"


def _commonest(found: "Counter[str]") -> str:
    from edge.cli.events.table import fit

    label, number = found.most_common(1)[0]
    return f"{fit(label, 14).rstrip()} {number:,}"


def _block(number: int, tallest: int, blocks: str) -> str:
    """Return a column whose height is the share of the tallest; anything at all shows."""
    steps = len(blocks) - 1
    return blocks[-(-number * steps // tallest)]


def _local(one: "HourCount") -> datetime:
    return _local_hour(one.hour_s)


@lru_cache(maxsize=1)  # counts of one hour, of all labels, come one after the other
def _local_hour(hour_s: int) -> datetime:
    # In zones with half hours an hour of UTC spans two of ours; it counts to that in which it begins.
    return datetime.fromtimestamp(hour_s)


def _blocks() -> str:
    """Return the columns of a plot, from nothing to full, that standard output can show."""
    try:
        _BLOCKS.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return _ASCII_BLOCKS
    return _BLOCKS

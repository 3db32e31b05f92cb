"""Read moments as people write them: dates, times, "2h", "yesterday"; all in local time."""

import re
from datetime import date, datetime, timedelta

import click

_AGO = re.compile(r"(\d{1,6})\s*(s|m|min|h|d|w)(?:\s+ago)?")
_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
_EXAMPLES = "a date, a time or both (2026-11-28, 05:30, '2026-11-28 05:30'), 2h, 3d, today, yesterday"


def begin_of(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """Return the moment of an option in seconds since 1970 UTC; of a day or a month, its begin."""
    return None if text is None else _span(text)[0].timestamp()


def end_of(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """Return the moment of an option in seconds since 1970 UTC; of a day or a month, its end."""
    return None if text is None else _span(text)[1].timestamp()


def _span(text: str) -> tuple[datetime, datetime]:
    try:
        return parse_span(text, datetime.now().astimezone())
    except (ValueError, OverflowError, OSError) as error:
        raise click.BadParameter(f"{text[:80]!r}: must be {_EXAMPLES}") from error


def parse_span(text: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the begin and the end of what `text` names: of a day, of a month; twice the same for a moment.

    now: with its time zone. Raises ValueError or OverflowError.
    """
    word = " ".join(text.lower().split())
    if found := _AGO.fullmatch(word):
        moment = now - timedelta(seconds=int(found[1]) * _UNITS_S[found[2]])
        return moment, moment
    if word == "now":
        return now, now
    if word in ("today", "yesterday"):
        return _day(now.date() - timedelta(days=word == "yesterday"))
    if found := _MONTH.fullmatch(word):
        year, month = int(found[1]), int(found[2])
        return _local(datetime(year, month, 1)), _local(datetime(year + month // 12, month % 12 + 1, 1))
    if _DAY.fullmatch(word):
        return _day(datetime.fromisoformat(word).date())
    if _CLOCK.fullmatch(word):
        word = f"{now.date()} {word.zfill(8 if word.count(':') == 2 else 5)}"
    moment = _local(datetime.fromisoformat(word.upper()))
    return moment, moment


def _day(day: date) -> tuple[datetime, datetime]:
    begin = datetime(day.year, day.month, day.day)
    return _local(begin), _local(begin + timedelta(days=1))


def _local(moment: datetime) -> datetime:
    """Return it with a time zone: its own, else that of this machine on that day."""
    return moment if moment.tzinfo is not None else moment.astimezone()

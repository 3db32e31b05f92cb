"""Write moments as the formats want them: in UTC, with a Z at their end."""

from datetime import UTC, datetime, timedelta

from edge.errors import DataError

_EPOCH = datetime.fromtimestamp(0, UTC)


def to_second(wall_s: float) -> str:
    """Return a moment such as 2026-11-28T05:12:03Z, the fraction cut off. Raises DataError."""
    return _moment(wall_s).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_millisecond(wall_s: float) -> str:
    """Return a moment such as 2026-11-28T05:12:03.250Z. Raises DataError."""
    return _moment(wall_s).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(wall_s: float) -> int:
    """Return a moment as to_millisecond writes it, in milliseconds since 1970. Raises DataError."""
    return (_moment(wall_s) - _EPOCH) // timedelta(milliseconds=1)


def day_of(wall_s: float) -> str:
    """Return the day in UTC, such as 2026-11-28. Raises DataError."""
    return _moment(wall_s).date().isoformat()


def _moment(wall_s: float) -> datetime:
    # Years of four digits; anything else was not written by a recorder.
    if not -30_000_000_000 < wall_s < 250_000_000_000:
        raise DataError(f"the store holds a time of {wall_s:g} s since 1970: must be of this era: it is damaged")
    return datetime.fromtimestamp(wall_s, UTC)

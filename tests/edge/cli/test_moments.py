"""Moments as people write them."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cli.events.moments import begin_of, end_of, parse_span


@pytest.fixture(autouse=True, params=["Europe/Warsaw", "UTC", "Asia/Kolkata"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The time zone of this machine."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


NOW = datetime(2026, 11, 28, 14, 30)


def span(text: str) -> tuple[str, str]:
    begin, end = parse_span(text, NOW.astimezone())
    return begin.strftime("%F %T"), end.strftime("%F %T")


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2026-11-03", "2026-11-03 00:00:00", "2026-11-04 00:00:00"),
        ("2026-02", "2026-02-01 00:00:00", "2026-03-01 00:00:00"),
        ("2026-12", "2026-12-01 00:00:00", "2027-01-01 00:00:00"),
        ("today", "2026-11-28 00:00:00", "2026-11-29 00:00:00"),
        (" Yesterday ", "2026-11-27 00:00:00", "2026-11-28 00:00:00"),
        ("now", "2026-11-28 14:30:00", "2026-11-28 14:30:00"),
        ("2h", "2026-11-28 12:30:00", "2026-11-28 12:30:00"),
        ("90 min ago", "2026-11-28 13:00:00", "2026-11-28 13:00:00"),
        ("3d", "2026-11-25 14:30:00", "2026-11-25 14:30:00"),
        ("1w", "2026-11-21 14:30:00", "2026-11-21 14:30:00"),
        ("5:07", "2026-11-28 05:07:00", "2026-11-28 05:07:00"),
        ("05:07:09", "2026-11-28 05:07:09", "2026-11-28 05:07:09"),
        ("2026-11-03 05:07", "2026-11-03 05:07:00", "2026-11-03 05:07:00"),
        ("2026-11-03T05:07:09", "2026-11-03 05:07:09", "2026-11-03 05:07:09"),
    ],
)
def test_moments_are_local(text: str, begin: str, end: str) -> None:
    assert span(text) == (begin, end)


def test_a_moment_may_have_a_time_zone_of_its_own() -> None:
    begin, _ = parse_span("2026-11-03T05:07:09Z", NOW.astimezone())
    assert begin.timestamp() == 1793682429


def test_a_day_in_which_the_clocks_change_has_25_hours(zone: str) -> None:
    begin, end = parse_span("2026-10-25", NOW.astimezone())
    assert end.timestamp() - begin.timestamp() == (25 if zone == "Europe/Warsaw" else 24) * 3600


@pytest.mark.parametrize(
    "text", ["", "tomorrow morning", "2026-13-01", "2026-02-30", "25:00", "-2h", "99999999999h", "2026-13", "\0", "1e9"]
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    for option in (begin_of, end_of):
        with pytest.raises(click.BadParameter, match="yesterday"):
            option(click.Context(click.Command("x")), click.Option(["--since"]), text)


@given(st.text(max_size=30))
def test_no_text_does_worse_than_being_refused(text: str) -> None:
    try:
        begin, end = parse_span(text, NOW.astimezone())
    except (ValueError, OverflowError):
        return
    assert timedelta(0) <= end - begin <= timedelta(days=32)

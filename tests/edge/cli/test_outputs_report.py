"""What `fieldfare outputs` reports while all is well."""

import logging
from pathlib import Path

import pytest

from edge.cli.outputs.report import OutputsReport, places_of
from edge.config.loading import settings_from
from edge.processes.outputs_messages import OutputState


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def report(tmp_path: Path) -> OutputsReport:
    sections = {
        "mqtt": {"host": "broker"},
        "metrics": {"port": 9105},
        "event_lines": {"file": "events.jsonl"},
        "hook": {"command": ["notify", "me"]},
        "gpio": {"pin": "BOARD11"},
    }
    settings = settings_from({"bundle": "none", "events": {"store": str(tmp_path / "events.db")}, **sections})
    places = places_of(settings)
    assert places == {
        "mqtt": "broker",
        "metrics": "port 9105",
        "event_lines": "events.jsonl",
        "hook": "notify",
        "gpio": "pin BOARD11",
    }
    return OutputsReport(places, 0.0)


def test_all_are_listed_once_when_they_have_begun(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    states = [
        OutputState(name="mqtt", waiting=7),
        OutputState(name="event_lines"),
        OutputState(name="hook", notice="something is held back"),
        OutputState(name="gpio", fault="no pins"),
    ]
    reporting = report(tmp_path)
    for second in range(10):
        reporting.look(states, float(second))
    assert caplog.messages == [
        "mqtt to broker: 7 events waiting",
        "event_lines to events.jsonl: up to date",
        "hook to notify: up to date; something is held back",
        "gpio to pin BOARD11: nothing goes out at present",
    ]


def test_a_backlog_is_reported_once_a_minute_and_its_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reporting = report(tmp_path)
    reporting.look([OutputState(name="mqtt")], 5.0)
    caplog.clear()
    for second in range(100):
        reporting.look([OutputState(name="mqtt", waiting=1000 - second)], 10.0 + second)
    reporting.look([OutputState(name="mqtt")], 200.0)
    assert caplog.messages == [
        "mqtt to broker: 990 events waiting",
        "mqtt to broker: 930 events waiting",
        "mqtt to broker: up to date",
    ]


def test_events_that_are_sent_at_once_and_backlogs_behind_a_fault_are_no_news(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reporting = report(tmp_path)
    reporting.look([OutputState(name="mqtt")], 5.0)
    caplog.clear()
    for second in range(100):
        reporting.look([OutputState(name="mqtt", waiting=second % 2)], 10.0 + second)
    for second in range(100):
        reporting.look([OutputState(name="mqtt", waiting=5, fault="no broker")], 200.0 + second)
    reporting.look([OutputState(name="mqtt")], 400.0)
    assert caplog.messages == []

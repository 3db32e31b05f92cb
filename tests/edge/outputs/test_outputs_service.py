"""All outputs together: each by itself, and none of them in the way of the others."""

import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from fake_store import FakeStore
from waiting import wait_until

from edge.config.loading import settings_from
from edge.config.settings import Settings
from edge.errors import ConfigError, MissingPackageError, UnavailableError
from edge.outputs.service import Outputs, Places

NOWHERE = Places(None, None)


@pytest.fixture
def store(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    monkeypatch.setattr("edge.outputs.feed.StoreReader", store.open)
    return store


def settings_of(store: FakeStore, **sections: Any) -> Settings:
    return settings_from({"bundle": "none", "events": {"store": str(store.path)}, **sections})


def lines_in(folder: Path) -> dict[str, Any]:
    return {"file": str(folder / "events.jsonl")}


def test_without_a_store_or_an_output_there_is_nothing_to_do(store: FakeStore, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no output is set: add one of \[mqtt\]"):
        Outputs(settings_of(store), "barn", NOWHERE)
    with pytest.raises(ConfigError, match=r"needs events to be kept: add events\.store"):
        Outputs(settings_from({"bundle": "none", "event_lines": lines_in(tmp_path)}), "barn", NOWHERE)


def test_a_hook_that_hangs_holds_up_nothing_else(store: FakeStore, tmp_path: Path) -> None:
    hook = {"command": ["sleep", "60"], "timeout_s": 60}
    outputs = Outputs(settings_of(store, hook=hook, event_lines=lines_in(tmp_path)), "barn", NOWHERE)
    outputs.start()
    outputs.look()
    wait_until(lambda: (tmp_path / "events.db.outputs" / "hook.json").exists())
    store.add(*["fox"] * 10)
    outputs.look()
    wait_until(lambda: outputs.states()[1].waiting == 10)
    wait_until((tmp_path / "events.jsonl").exists)
    wait_until(lambda: (tmp_path / "events.jsonl").read_text().count("\n") == 10)
    wait_until(lambda: outputs.states()[0].waiting == 0)
    assert outputs.summary() == "event_lines: up to date; hook: 10 waiting"
    outputs.close()


def test_one_process_at_a_time_sends_the_events_of_a_store(store: FakeStore, tmp_path: Path) -> None:
    settings = settings_of(store, event_lines=lines_in(tmp_path))
    first = Outputs(settings, "barn", NOWHERE)
    with pytest.raises(UnavailableError, match="another process sends the events of this store"):
        Outputs(settings, "barn", NOWHERE)
    first.close()
    Outputs(settings, "barn", NOWHERE).close()


def test_outputs_that_cannot_be_are_left_out_with_one_line(
    store: FakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "paho.mqtt.enums", None)
    mqtt = {"host": "broker"}
    outputs = Outputs(settings_of(store, mqtt=mqtt, event_lines=lines_in(tmp_path)), "barn", NOWHERE)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "needs paho-mqtt 2.0 or newer" in caplog.text
    assert {state.name: state.fault is None for state in outputs.states()} == {"event_lines": True, "mqtt": False}
    outputs.close()
    with pytest.raises(MissingPackageError):
        Outputs(settings_of(store, mqtt=mqtt), "barn", NOWHERE)


def test_an_output_that_fails_in_an_unforeseen_way_begins_again(
    store: FakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from edge.outputs.event_lines import EventLinesTaker

    monkeypatch.setattr("edge.outputs.service._AGAIN_S", (0.3,))
    taken = EventLinesTaker.take
    failures = [1]

    def take(self: EventLinesTaker, *what: Any) -> None:
        if failures:
            failures.pop()
            raise ZeroDivisionError("a mistake")
        taken(self, *what)

    monkeypatch.setattr(EventLinesTaker, "take", take)
    store.add("fox", "hare")
    outputs = Outputs(settings_of(store, event_lines=lines_in(tmp_path)), "barn", NOWHERE)
    outputs.start()
    wait_until(lambda: outputs.states()[0].fault == "unforeseen: ZeroDivisionError: a mistake")
    wait_until(lambda: (tmp_path / "events.jsonl").exists())
    wait_until(lambda: (tmp_path / "events.jsonl").read_text().count("\n") == 2)
    assert outputs.states()[0].fault is None
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    outputs.close()


def test_after_its_end_no_thread_is_left(store: FakeStore, tmp_path: Path) -> None:
    before = threading.active_count()
    sections = {
        "mqtt": {"host": "127.0.0.1", "port": 1},
        "event_lines": lines_in(tmp_path),
        "metrics": {"file": str(tmp_path / "m.prom")},
        "hook": {"command": ["true"]},
    }
    outputs = Outputs(settings_of(store, **sections), "barn", Places(None, tmp_path / "run"))
    outputs.start()
    wait_until(lambda: (tmp_path / "m.prom").exists())
    outputs.close()
    assert threading.active_count() == before

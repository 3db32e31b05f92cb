"""Events as lines of a file that is rotated."""

import json
import threading
from pathlib import Path

import pytest
from fake_store import FakeStore, stored
from waiting import wait_until

from edge.config.sending import EventLines
from edge.outputs.base import DeliveryError
from edge.outputs.cursor import Cursor
from edge.outputs.event_lines import EventLinesTaker
from edge.outputs.feed import Feed, Gap
from edge.outputs.pulled import PulledOutput

NEVER = threading.Event()


def read(path: Path) -> list[int]:
    return [json.loads(line)["number"] for line in path.read_text().splitlines()]


def test_a_line_an_event_and_a_gap_in_its_place(tmp_path: Path) -> None:
    taker = EventLinesTaker(EventLines(file=str(tmp_path / "out" / "events.jsonl")))
    for what in (stored(1), Gap(2, 4, 3), stored(5)):
        taker.take(what, NEVER)
    taker.close()
    lines = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text().splitlines()]
    assert [line.get("number", line.get("gap")) for line in lines] == [1, {"from": 2, "to": 4, "events": 3}, 5]


def test_it_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    taker = EventLinesTaker(EventLines(file=str(path), max_mb=1, keep=1))
    label = "x" * 100_000
    for number in range(1, 31):
        taker.take(stored(number, label), NEVER)
    taker.close()
    old = path.with_name("events.jsonl.1")
    assert [*read(old), *read(path)] == list(range(31 - len(read(old)) - len(read(path)), 31))
    assert max(old.stat().st_size, path.stat().st_size) <= 1_000_000
    assert len(list(tmp_path.iterdir())) == 2


def test_what_cannot_be_written_must_be_tried_again(tmp_path: Path) -> None:
    taker = EventLinesTaker(EventLines(file="/dev/full"))
    with pytest.raises(DeliveryError, match="/dev/full: cannot write"):
        taker.take(stored(1), NEVER)


def test_a_file_that_comes_back_gets_all_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.outputs.pulled._AGAIN_S", (0.02,))
    blocked = tmp_path / "out"
    blocked.write_text("")  # a file in the folder's place
    store = FakeStore(tmp_path / "events.db")
    store.create()
    store.add(*["fox"] * 250)
    taker = EventLinesTaker(EventLines(file=str(blocked / "events.jsonl")))
    feed = Feed(store.path, "event_lines", Cursor(tmp_path / "c.json", None, taker.sync), open_store=store.open)
    output, stop = PulledOutput("event_lines", feed, taker), threading.Event()
    thread = threading.Thread(target=output.run, args=(stop,))
    thread.start()
    wait_until(lambda: output.state.fault is not None)
    assert output.state.waiting == 250
    blocked.unlink()
    wait_until(lambda: output.state.waiting == 0)
    assert output.state.fault is None
    store.add("hare")
    output.wake()
    wait_until(lambda: (blocked / "events.jsonl").read_text().count("\n") == 251)
    stop.set()
    output.wake()
    thread.join(5)
    assert read(blocked / "events.jsonl") == list(range(1, 252))
    assert json.loads((tmp_path / "c.json").read_text())["number"] == 251

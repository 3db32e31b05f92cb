"""Metrics as Prometheus reads them."""

import os
import stat
import threading
import urllib.request
from pathlib import Path

import pytest
from fake_store import FakeStore, stored
from waiting import wait_until

from edge.config.sending import Metrics
from edge.errors import UnavailableError
from edge.outputs.feed import Feed
from edge.outputs.metrics import Counted, MetricsOutput
from edge.outputs.service_status import boot_id
from edge.processes.outputs_messages import OutputState

parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")


def values(text: str) -> dict[tuple[str, str], float]:
    """Return the samples by name and the value of their label."""
    return {
        (sample.name, "".join(sample.labels.values())): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def text_of(counted: Counted) -> dict[tuple[str, str], float]:
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(counted)
    return values(generate_latest(registry).decode())


def states() -> list[OutputState]:
    return [
        OutputState(name="mqtt", waiting=7, notice="pictures are held back"),
        OutputState(name="hook", fault="cannot be started"),
    ]


def test_events_by_label_and_what_waits() -> None:
    counted = Counted(None, boot_id(), states)
    for number, label in enumerate(["fox", "hare", "fox"], 1):
        counted.add(stored(number, label))
    found = text_of(counted)
    assert found["fieldfare_events_total", "fox"] == 2
    assert found["fieldfare_event_seconds_total", "fox"] == 3.0
    assert found["fieldfare_output_waiting", "mqtt"] == 7
    assert found["fieldfare_output_fault", "mqtt"] == 0
    assert found["fieldfare_output_fault", "hook"] == 1
    assert found["fieldfare_output_notice", "mqtt"] == 1
    assert found["fieldfare_output_notice", "hook"] == 0
    assert ("fieldfare_up", "") not in found, "a run by hand keeps no status, so nothing is known"


def test_labels_are_harmless_and_bounded() -> None:
    counted = Counted(None, boot_id(), list)
    for number in range(1, 1001):
        counted.add(stored(number, f'{number}"}}\n<b>' + "x" * 10_000))
    found = {label: value for (name, label), value in text_of(counted).items() if name == "fieldfare_events_total"}
    assert len(found) == 201
    assert found["(other)"] == 800
    assert all(len(label) <= 64 and "\n" not in label and "<" not in label for label in found)


def test_the_service_s_own_counts(tmp_path: Path) -> None:
    from edge.supervision.status import StatusFile, begin

    status = begin()
    status.state, status.why, status.fps = "running", "as in the settings", 9.5
    status.counts.results = 1234
    StatusFile(tmp_path / "status.json").write(status)
    found = text_of(Counted(tmp_path / "status.json", boot_id(), list))
    assert found["fieldfare_up", ""] == 1
    assert found["fieldfare_results_total", ""] == 1234
    assert found["fieldfare_results_per_second", ""] == 9.5


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"state": 3}', b"[" * 100_000])
def test_a_damaged_status_is_a_service_that_is_not_up(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "status.json").write_bytes(content)
    assert text_of(Counted(tmp_path / "status.json", boot_id(), list))["fieldfare_up", ""] == 0


def run(output: MetricsOutput) -> threading.Event:
    stop = threading.Event()
    threading.Thread(target=output.run, args=(stop,), daemon=True).start()
    return stop


def test_the_file_is_replaced_whole_and_for_every_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.outputs.metrics._EVERY_S", 0.05)
    store = FakeStore(tmp_path / "events.db")
    store.create()
    store.add("fox")  # before it started
    path = tmp_path / "fieldfare.prom"
    umask = os.umask(0o077)
    try:
        feed = Feed(store.path, "metrics", begins="last", open_store=store.open)
        output = MetricsOutput(Metrics(file=str(path)), feed, Counted(None, boot_id(), states))
        stop = run(output)
        wait_until(path.exists)
        store.add("hare", "hare")
        wait_until(lambda: values(path.read_text()).get(("fieldfare_events_total", "hare")) == 2)
    finally:
        os.umask(umask)
    stop.set()
    assert ("fieldfare_events_total", "fox") not in values(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_file_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "events.db", "metrics")
    output = MetricsOutput(Metrics(file="/nowhere/fieldfare.prom"), feed, Counted(None, boot_id(), list))
    stop = run(output)
    wait_until(lambda: output.state.fault is not None)
    stop.set()
    assert output.state.fault == "/nowhere/fieldfare.prom: cannot write: No such file or directory"


def test_a_port_answers_until_the_end_and_one_in_use_is_one_line(tmp_path: Path, free_port: int) -> None:
    settings = Metrics(port=free_port)
    counted = Counted(None, boot_id(), states)
    output = MetricsOutput(settings, Feed(tmp_path / "events.db", "metrics"), counted)
    with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics") as answer:
        assert values(answer.read().decode())["fieldfare_output_waiting", "mqtt"] == 7
    with pytest.raises(UnavailableError, match="Address already in use"):
        MetricsOutput(settings, Feed(tmp_path / "events.db", "metrics"), counted)
    stop = threading.Event()
    stop.set()
    output.run(stop)

"""The service as the unit starts it, with real processes and a store: new settings, a rest, and no event lost."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running import Running

from edge.bundle.store import Bundle
from edge.supervision.status import Status

# The unknown is in view all the time: one event after another, each ended by what the test does.
MORE = (
    '[decision]\nthreshold = 1.0\n[events]\nstore = "{store}"\nunknown = true\ndurable_within_s = 1.0\n'
    "min_duration_s = 0.0\ngap_s = {gap_s}\n"
)


@pytest.fixture
def start_service(sealed: Bundle, tmp_path: Path) -> Iterator[Running]:
    more = MORE.format(store=tmp_path / "events.db", gap_s=2.0)
    service = Running(tmp_path, sealed, "--service", "--no-outputs", more=more)
    yield service
    service.close()


def sees(status: Status) -> bool:
    """Is something in view?"""
    events = status.events
    return events is not None and events.last is not None and not events.last.ended


def test_events_outlive_new_settings_and_a_rest(
    start_service: Running, tmp_path: Path, run_fieldfare: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    service, file = start_service, tmp_path / "fieldfare.toml"
    service.wait_until_running()
    first = service.wait_for(sees)

    def reload(old: str, new: str) -> bool:
        file.write_text(file.read_text().replace(old, new))
        before = service.status()
        service.process.send_signal(signal.SIGHUP)
        seen = service.wait_for(lambda status: status.reloaded and status.reloaded != (before and before.reloaded))
        assert seen.reloaded is not None
        return seen.reloaded.applied

    assert not reload("gap_s = 2.0", "gap_s = -2.0")
    assert service.process.poll() is None
    assert "events.gap_s = -2.0: must be" in service.errors()
    assert reload("gap_s = -2.0", "gap_s = 3.0")
    worker = service.wait_for(lambda status: status.state == "running" and status.worker_pid != first.worker_pid)
    service.wait_for(lambda status: status.events and status.events.stored and sees(status))
    slept = run_fieldfare("device", "sleep", "--run-dir", service.run)
    assert slept.returncode == 0, slept.stderr
    assert slept.stdout.startswith("everything is on the disk")
    rested = service.wait_for(lambda status: status.at_rest)
    assert rested.worker_pid is None
    assert run_fieldfare("device", "wake", "--run-dir", service.run).returncode == 0
    service.wait_for(lambda status: status.state == "running" and status.worker_pid not in (None, worker.worker_pid))
    heard = service.wait_for(sees).events
    assert heard is not None
    assert (heard.lost_events, heard.fault) == (0, None)
    assert service.end() == 0
    last = service.status()
    assert last is not None
    assert last.events is not None
    listed = run_fieldfare("events", "--store", tmp_path / "events.db", "--json").stdout
    # At least one before the new settings, one before the rest and one before the end, and each that was heard of.
    assert last.events.heard == len([json.loads(line) for line in listed.splitlines()]) >= 3

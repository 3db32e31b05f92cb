"""A reload, with scripted workers and recorders: what is sound is applied, nothing is lost; what is not is refused."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import recorders
from recorders import noted, pids
from scripted import wait_until
from supervised import Memory, Supervised, starting
from written_lines import whole_lines

from edge.bundle.store import Bundle
from edge.config.loading import load_settings
from edge.config.request import SettingsRequest
from edge.config.running import Output
from edge.supervision.parts import Helpers, Renewal
from edge.supervision.status import Reloaded

WORKER = """
import os, socket, sys, threading, time
from pathlib import Path
import msgspec
from edge.events.records import Sighting
from edge.processes.child import die_with
from edge.processes.messages import *
from edge.results import FrameCounts, Latency, Result
die_with(int(sys.argv[2]))
channel = WorkerChannel(socket.socket(fileno=int(sys.argv[1])))
stopped = threading.Event()
begun = threading.Event()
settings = []

def obey():
    while True:
        try:
            message = msgspec.msgpack.decode(channel.socket.recv(1 << 18) or os._exit(0))
        except OSError:
            os._exit(0)
        if message[0] == "Begin":
            settings.append(message[1]); begun.set()
        elif message[0] == "SetPace":
            with (Path(__file__).parent / "paces").open("a") as paces:
                paces.write(f"{message[1]}\\n")
        else:
            stopped.set()

threading.Thread(target=obey, daemon=True).start()
begun.wait()
with (Path(__file__).parent / "rates").open("a") as rates:
    rates.write(f"{settings[0]['camera'].get('fps')}\\n")
channel.send(Started("BUNDLE", "birds", 5, "cpu", "scripted", True, "none", None))
channel.send(Step("classifying", "camera", float("inf")))

def sight(ended):
    now = time.monotonic()
    channel.send(Sighted(Sighting(number=1, label="owl", begin_mono_s=now, end_mono_s=now, peak=0.9, peak_mono_s=now,
        mean=0.8, frames=3, ended=ended)))

number = 0
sight(False)
while not stopped.wait(0.05):
    channel.send(Decided(Result(number, "owl", 0.9, (), time.time(), time.monotonic(),
        Latency(0.0, 0.0, 0.0, 0.0, 1.0), "cpu", "BUNDLE", 0)))
    channel.send(Pulse(FrameCounts(number)))
    number += 1
sight(True)
channel.send(Ended("stopped"))
os._exit(0)
"""


class Service:
    """A supervisor with a settings file, which the test may change and have read again."""

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self.folder, self.bundle = folder, bundle
        self.file = folder / "fieldfare.toml"
        self.sinks: list[Memory] = [Memory()]
        self.write()
        recorder = recorders.starting("a_recorder")
        self.running = Supervised(
            folder,
            load_settings(self.file),
            self.sinks[0],
            start=starting("a_worker"),
            helpers=Helpers(recorder=recorder),
            renewal=Renewal(SettingsRequest(str(self.file)), self._new_sinks, lambda _: None),
        )
        self.status = self.running.supervisor.status

    def _new_sinks(self, _: Output) -> list[Memory]:
        self.sinks.append(Memory())
        return [self.sinks[-1]]

    def write(self, camera: str = "fps = 10", events: str = "", more: str = "") -> None:
        """Write the settings, not yet read."""
        self.file.write_text(
            f'bundle = "{self.bundle.path}"\n[camera]\nsource = "synthetic"\n{camera}\n'
            f'[events]\nstore = "events.db"\n{events}\n{more}\n'
        )

    def reload(self) -> Reloaded:
        """Have them read again, and return what came of it."""
        before = self.status.reloaded
        self.running.supervisor.reload()
        assert wait_until(lambda: self.status.reloaded not in (None, before))
        assert self.status.reloaded is not None
        return self.status.reloaded

    def rates(self) -> list[str]:
        """The camera's rate that each worker was given."""
        return self.lines("rates")

    def lines(self, name: str) -> list[str]:
        return whole_lines(self.folder / name)

    def runs(self) -> bool:
        return wait_until(lambda: self.status.state == "running")


Serve = Callable[[], Service]


@pytest.fixture
def supervise(sealed: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "a_worker.py").write_text(WORKER.replace("BUNDLE", sealed.bundle_id))
    (tmp_path / "a_recorder.py").write_text(recorders.PREFACE + "receive(); keep()")
    started: list[Service] = []

    def begin() -> Service:
        started.append(Service(tmp_path, sealed))
        assert started[0].runs()
        assert wait_until(lambda: noted(tmp_path))
        return started[0]

    yield begin
    for one in started:
        one.running.close()


class TestSound:
    def test_another_rate_takes_another_worker_and_no_other_recorder(self, supervise: Serve, tmp_path: Path) -> None:
        service = supervise()
        service.write(camera="fps = 5")
        outcome = service.reload()
        assert (outcome.applied, outcome.words) == (True, "[camera]")
        assert wait_until(lambda: service.rates() == ["10.0", "5.0"])
        assert service.runs()
        assert len(pids(tmp_path)) == 1

    def test_what_was_in_view_ends_and_is_kept(self, supervise: Serve, tmp_path: Path) -> None:
        service = supervise()
        service.write(camera="fps = 5", events="gap_s = 3.0")
        assert service.reload().applied
        # The first worker ended its event itself; the second one begins another, which another recorder keeps.
        assert wait_until(lambda: len(pids(tmp_path)) == 2)
        first, *_ = [line.split() for line in noted(tmp_path) if line.startswith("event")]
        assert wait_until(lambda: f"event {first[1]} owl True" in noted(tmp_path))
        assert wait_until(lambda: service.status.events is not None and service.status.events.waiting == 0)
        assert service.status.events is not None
        assert (service.status.events.lost_events, service.status.events.fault) == (0, None)
        assert "finish" in noted(tmp_path)
        assert service.runs()

    def test_a_lower_rate_of_decisions_needs_no_other_process(self, supervise: Serve, tmp_path: Path) -> None:
        service = supervise()
        service.write(more="[load]\nmax_fps = 2.0")
        assert service.reload().words == "[load]"
        assert wait_until(lambda: service.lines("paces") == ["2.0"])
        assert (len(service.rates()), len(pids(tmp_path))) == (1, 1)

    def test_results_go_to_the_new_sinks(self, supervise: Serve) -> None:
        service = supervise()
        service.write(more='[output]\nconsole = "off"')
        assert service.reload().words == "[output]"
        assert wait_until(lambda: service.sinks[1].results)

    def test_the_same_again_changes_nothing(self, supervise: Serve) -> None:
        service = supervise()
        assert service.reload().words == "nothing has changed"
        assert len(service.rates()) == 1


class TestWrong:
    def test_they_are_refused_with_every_fault_and_the_old_ones_stay(
        self, supervise: Serve, caplog: pytest.LogCaptureFixture
    ) -> None:
        service = supervise()
        service.write(camera="fps = 5\nwidth = 1", more="[decision.thresholds]\nowl = 7")
        outcome = service.reload()
        assert not outcome.applied
        assert len(outcome.faults) == 2
        assert "camera.width = 1" in outcome.faults[0]
        assert [record.getMessage().strip() for record in caplog.records if "camera.width" in record.getMessage()]
        assert (service.status.state, service.rates()) == ("running", ["10.0"])

    def test_a_label_that_the_bundle_lacks_is_one(self, supervise: Serve) -> None:
        service = supervise()
        service.write(more="[decision.thresholds]\nunicorn = 0.5")
        assert "unicorn" in service.reload().words

    def test_sound_ones_are_taken_after_them(self, supervise: Serve) -> None:
        service = supervise()
        service.write(camera="fps = 0")
        assert not service.reload().applied
        service.write(camera="fps = 5")
        assert service.reload().applied
        assert wait_until(lambda: service.rates() == ["10.0", "5.0"])

    def test_no_store_any_more_needs_a_restart(self, supervise: Serve) -> None:
        service = supervise()
        service.file.write_text(service.file.read_text().replace('store = "events.db"', ""))
        outcome = service.reload()
        assert "restart" in outcome.words
        assert outcome.faults[0].startswith("events.store")


@pytest.mark.parametrize("applied", [True, False])
def test_systemctl_reload_waits_for_what_comes_of_it(supervise: Serve, applied: bool) -> None:
    """What ExecReload= runs, with the signal that the command installs."""
    service = supervise()
    service.write(camera="fps = 5" if applied else "fps = 0")
    before = signal.signal(signal.SIGHUP, lambda *_: service.running.supervisor.reload())
    try:
        done = subprocess.run(
            [sys.executable, "-m", "edge.supervision.changing.order", str(os.getpid())],
            env={**os.environ, "RUNTIME_DIRECTORY": str(service.folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        signal.signal(signal.SIGHUP, before)
    assert done.returncode == (0 if applied else 78)
    assert ("settings read again: [camera]" if applied else "settings refused: ") in done.stderr
    assert json.loads((service.folder / "status.json").read_text())["reloaded"]["applied"] is applied

"""A service that rests: everything is on the disk, it stays so, and it goes on when the order is taken back."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import recorders
from recorders import noted, pids
from scripted import wait_until
from scripted_workers import PREFACE
from supervised import Memory, Supervised, starting

from edge.config.keeping import Events
from edge.config.running import Camera, Power
from edge.config.settings import Settings
from edge.supervision.parts import Helpers
from edge.supervision.status import read
from edge.supervision.systemd import POWEROFF, SLEEP

SETTINGS = Settings(bundle="none", camera=Camera(source="synthetic"), events=Events(store="events.db"))
WORKER = """
from edge.events.records import Sighting
def sight(ended):
    now = time.monotonic()
    channel.send(Sighted(Sighting(number=1, label="owl", begin_mono_s=now, end_mono_s=now, peak=0.9, peak_mono_s=now,
        mean=0.8, frames=3, ended=ended)))
started(); decided(0); sight(False); serve()
"""
Start = Callable[..., Supervised]
pytestmark = pytest.mark.process


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a supervisor with a scripted worker and recorder; it sees an owl, which is still in view."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "a_worker.py").write_text(PREFACE + WORKER)
    running: list[Supervised] = []

    def begin(settings: Settings = SETTINGS, recorder: str = "receive(); keep()") -> Supervised:
        (tmp_path / "a_recorder.py").write_text(recorders.PREFACE + recorder)
        helpers = Helpers(recorder=recorders.starting("a_recorder"))
        running.append(Supervised(tmp_path, settings, Memory(), start=starting("a_worker"), helpers=helpers))
        assert wait_until(lambda: running[0].supervisor.status.state in ("running", "degraded"))
        assert wait_until(lambda: noted(tmp_path))
        return running[0]

    yield begin
    for one in running:
        one.close()


def test_an_order_has_everything_written_and_the_store_closed(start: Start, tmp_path: Path) -> None:
    service = start()
    status = service.supervisor.status
    (tmp_path / SLEEP).touch()
    assert wait_until(lambda: status.at_rest)
    assert status.state == "asleep"
    assert status.why == "everything is on the disk: ordered by `fieldfare device sleep`"
    assert status.worker_pid is None
    event = next(line.split() for line in noted(tmp_path) if line.startswith("event"))
    assert noted(tmp_path)[-2:] == [f"event {event[1]} owl True", "finish"]
    assert wait_until(lambda: read(tmp_path / "status.json").at_rest)


def test_it_goes_on_when_the_order_is_taken_back(start: Start, tmp_path: Path) -> None:
    service = start()
    status = service.supervisor.status
    (tmp_path / SLEEP).touch()
    assert wait_until(lambda: status.at_rest)
    (tmp_path / SLEEP).unlink()
    assert wait_until(lambda: status.state == "running")
    assert not status.at_rest
    assert wait_until(lambda: len(pids(tmp_path)) == 2)
    assert status.counts.camera_faults == 0


def test_what_cannot_be_written_keeps_it_from_being_at_rest(start: Start, tmp_path: Path) -> None:
    """The events are in memory, and another recorder tries again and again."""
    full = """
receive()
while not isinstance(message := receive(), Finish): pulse(fault="No space left on device") if message else None
note("gave up"); os._exit(0)
"""
    service = start(recorder=full.replace("receive()\nwhile", "note('begun'); receive()\nwhile"))
    status = service.supervisor.status
    (tmp_path / SLEEP).touch()
    assert wait_until(lambda: noted(tmp_path).count("gave up") == 2)
    assert not status.at_rest
    assert status.state == "asleep"
    assert "writing what waits" in status.why
    (tmp_path / "a_recorder.py").write_text(recorders.PREFACE + "receive(); keep()")
    assert wait_until(lambda: status.at_rest)
    assert any(line.endswith("owl True") for line in noted(tmp_path))


def test_it_can_be_ended_while_it_rests(start: Start, tmp_path: Path) -> None:
    service = start()
    (tmp_path / SLEEP).touch()
    assert wait_until(lambda: service.supervisor.status.at_rest)
    began_s = time.monotonic()
    service.supervisor.stop()
    assert service.wait() == 0
    assert time.monotonic() - began_s < 5


class TestPower:
    """With the real watch, of a file."""

    @pytest.mark.parametrize("off", [False, True])
    def test_a_supply_that_announces_its_end(self, start: Start, tmp_path: Path, off: bool) -> None:
        low = tmp_path / "low"
        power = Power(file=str(low), lasts_s=0.2, off=off)
        service = start(msgspec.structs.replace(SETTINGS, power=power))
        status = service.supervisor.status
        low.touch()
        assert wait_until(lambda: status.at_rest)
        assert status.why == "everything is on the disk: the power supply announces its end"
        assert wait_until(lambda: (tmp_path / POWEROFF).exists() is off)
        low.unlink()
        assert wait_until(lambda: status.state == "running")

    def test_one_that_cannot_be_watched_is_reported(self, start: Start, tmp_path: Path) -> None:
        power = Power(file=str(tmp_path / "mistyped"), value="Discharging")
        service = start(msgspec.structs.replace(SETTINGS, power=power))
        status = service.supervisor.status
        assert wait_until(lambda: status.state == "degraded" and "power supply is not watched" in status.why)
        assert "no such file" in status.why

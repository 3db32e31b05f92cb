"""The supervisor with scripted workers: the Edge TPU, a reboot, and its own end."""

import time
from pathlib import Path

import pytest
from scripted import wait_until
from scripted_workers import Supervise

from edge.config.running import Camera, Engine, Recovery
from edge.config.settings import Settings
from edge.processes import side_jobs
from edge.processes.child import Child
from edge.processes.edgetpu_trial import WORKS
from edge.supervision import supervisor
from edge.supervision.supervisor import Supervisor
from edge.supervision.systemd import RECORD, REQUEST


class TestEdgeTpu:
    def test_it_falls_back_to_the_cpu_and_comes_back(
        self, supervise: Supervise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(side_jobs, "Child", lambda _, words, pass_fds: Child("a_probe", words, pass_fds=pass_fds))
        (tmp_path / "a_probe.py").write_text(
            "import os, sys\nfrom pathlib import Path\nsettings = os.fdopen(int(sys.argv[1])).read()\n"
            f"sys.exit({WORKS} if 'none' in settings and (Path(__file__).parent / 'mended').exists() else 69)"
        )
        code = (
            "started('none' if device == 'cpu' else 'in use'); decided(0)\n"
            "if life < 2: channel.send(Failed('engine', 'USB transfer error', 69)); os._exit(0)\n"
            "serve()"
        )
        library = tmp_path / "libedgetpu.so"
        library.touch()  # without it, and without a device, nothing would be looked for
        engine = Engine(edgetpu_library=str(library))
        service = supervise(code, Settings(bundle="none", camera=Camera(source="synthetic"), engine=engine))
        status = service.supervisor.status
        lost = "Edge TPU lost: USB transfer error"
        assert wait_until(lambda: (status.state, status.why) == ("degraded", lost))
        (tmp_path / "mended").touch()
        assert wait_until(lambda: len(service.lives()) == 4 and status.state == "running")
        assert service.lives() == [
            ("auto", None, None),
            ("auto", None, None),
            ("cpu", lost, None),
            ("auto", None, None),
        ]
        assert (status.counts.edgetpu_losses, status.counts.edgetpu_returns, status.counts.engine_faults) == (1, 1, 2)

    def test_a_worker_that_has_just_been_started_is_let_come_to_a_result(
        self, supervise: Supervise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else an Edge TPU that keeps failing after each return would leave no results at all on a slow board."""
        monkeypatch.setattr(side_jobs, "Child", lambda _, words, pass_fds: Child("a_probe", words, pass_fds=pass_fds))
        (tmp_path / "a_probe.py").write_text(f"import sys\nsys.exit({WORKS})")
        monkeypatch.setattr("edge.supervision.recovery.TRIAL_S", (0.1,))
        library = tmp_path / "libedgetpu.so"
        library.touch()
        code = (
            "if device != 'cpu': started('in use'); channel.send(Failed('engine', 'USB error', 69)); os._exit(0)\n"
            "time.sleep(3); started(); serve()"
        )
        settings = Settings(
            bundle="none", camera=Camera(source="synthetic"), engine=Engine(edgetpu_library=str(library))
        )
        service = supervise(code, settings)
        assert wait_until(lambda: service.supervisor.status.counts.edgetpu_returns > 1)
        assert service.memory.results

    def test_without_device_and_library_nothing_is_looked_for(
        self, supervise: Supervise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A probe would take a second of a small board's time, twice a minute, for ever."""
        probes: list[object] = []
        monkeypatch.setattr(side_jobs, "Child", lambda *words, **_: probes.append(words))
        monkeypatch.setattr("edge.supervision.recovery.TRIAL_S", (0.1,))
        engine = Engine(edgetpu_library=str(tmp_path / "nowhere.so"))
        settings = Settings(bundle="none", camera=Camera(source="synthetic"), engine=engine)
        service = supervise("started('refused', 'no library'); serve()", settings)
        assert wait_until(lambda: service.supervisor.status.state == "degraded")
        time.sleep(2.5)
        assert probes == []
        assert service.supervisor.status.counts.edgetpu_losses == 1

    def test_one_that_was_refused_is_degraded_and_says_why(self, supervise: Supervise) -> None:
        service = supervise("started('refused', 'no device'); serve()")
        status = service.supervisor.status
        assert wait_until(lambda: (status.state, status.why) == ("degraded", "Edge TPU lost: no device"))

    def test_a_camera_that_fails_is_not_blamed_on_it(self, supervise: Supervise) -> None:
        code = (
            "started('in use'); decided(0)\n"
            "if life < 3: channel.send(Failed('camera', 'unplugged', 69)); os._exit(0)\nserve()"
        )
        service = supervise(code)
        assert wait_until(lambda: len(service.lives()) == 4 and service.supervisor.status.state == "running")
        assert {device for device, _, _ in service.lives()} == {"auto"}


class TestReboot:
    SETTINGS = Settings(bundle="none", camera=Camera(source="synthetic"), recovery=Recovery(reboot_after_min=0.02))
    DEAD = "channel.send(Trouble('unplugged', 69))\nwhile True: channel.send(Pulse(FrameCounts())); time.sleep(0.1)"

    def test_after_the_time_it_is_asked_for_once_with_the_reason(self, supervise: Supervise) -> None:
        service = supervise(self.DEAD, self.SETTINGS)
        assert wait_until(lambda: (service.folder / REQUEST).exists())
        assert (service.folder / REQUEST).read_text() == "unplugged\n"
        assert (service.folder / RECORD).exists()
        (service.folder / REQUEST).unlink()
        time.sleep(1.5)
        assert not (service.folder / REQUEST).exists()
        assert service.supervisor.status.counts.reboots_asked == 1

    def test_not_while_results_come(self, supervise: Supervise) -> None:
        service = supervise("started(); serve()", self.SETTINGS)
        assert wait_until(lambda: len(service.memory.results) > 35)
        assert not (service.folder / REQUEST).exists()


def test_stopping_before_it_runs_is_not_forgotten(supervise: Supervise, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Supervisor.run

    def stop_first(self: Supervisor) -> int:
        self.stop()
        return original(self)

    monkeypatch.setattr(supervisor.Supervisor, "run", stop_first)
    service = supervise("started(); serve()")
    assert service.wait() == 0
    assert service.lives() == []


def test_a_signal_after_its_end_is_no_error(supervise: Supervise) -> None:
    service = supervise("channel.send(Ended('the end'))")
    assert service.wait() == 0
    service.supervisor.stop()

"""The supervisor with scripted workers: what becomes of their results, and of frames that a gate turns away."""

import logging
import time
from pathlib import Path

import msgspec
import pytest
from scripted import exists, wait_until
from scripted_workers import IMPATIENT, Supervise
from supervised import Memory

from edge.config.running import Camera, Engine, Load, Recovery
from edge.config.settings import Settings
from edge.processes import side_jobs
from edge.processes.child import Child
from edge.processes.edgetpu_trial import WORKS
from edge.results import Result
from edge.supervision.status import read
from edge.supervision.systemd import REQUEST


class TestResults:
    def test_they_go_to_the_sink_in_order_until_the_source_ends(self, supervise: Supervise) -> None:
        code = "started()\nfor number in range(200): decided(number)\nchannel.send(Ended('the last picture'))"
        service = supervise(code)
        assert service.wait() == 0
        assert [result.frame for result in service.memory.results] == list(range(200))
        assert (service.supervisor.tally.results, service.supervisor.status.counts.results) == (200, 200)
        assert read(service.folder / "status.json").state == "stopped"

    def test_one_that_is_too_old_is_counted_and_not_published(self, supervise: Supervise) -> None:
        code = "started()\ndecided(0)\ndecided(1, age_s=60)\ndecided(2)\nchannel.send(Ended('the end'))"
        service = supervise(code)
        assert service.wait() == 0
        assert [result.frame for result in service.memory.results] == [0, 2]
        assert service.supervisor.status.counts.stale == 1

    def test_a_reader_that_takes_its_time_is_not_the_worker_s_fault(self, supervise: Supervise) -> None:
        class Slow(Memory):
            def write(self, result: Result) -> None:
                if not self.results:
                    time.sleep(2.0)
                super().write(result)

        code = "started(); decided(0)\nfor _ in range(25): channel.send(Pulse(FrameCounts())); time.sleep(0.1)\nserve()"
        service = supervise(code, IMPATIENT, Slow())
        assert wait_until(lambda: len(service.memory.results) > 1)
        assert len(service.lives()) == 1

    @pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), RuntimeError("a bug in a sink")])
    def test_a_sink_that_cannot_go_on_ends_it_and_the_worker(self, supervise: Supervise, error: Exception) -> None:
        class Broken(Memory):
            def write(self, result: Result) -> None:
                raise error

        code = "(HERE / 'pid').write_text(str(os.getpid()))\nstarted()\nserve()"
        service = supervise(code, sink=Broken())
        assert service.wait() is error
        assert not exists(int((service.folder / "pid").read_text()))

    def test_results_that_are_lost_are_not_as_the_settings_ask(self, supervise: Supervise) -> None:
        sink = Memory()
        sink.fault = "results are lost: /x: cannot write: Is a directory"
        service = supervise("started()\nserve()", sink=sink)
        status = service.supervisor.status
        assert wait_until(lambda: status.state == "degraded")
        assert (status.why, status.output_fault) == (sink.fault, sink.fault)
        sink.fault = None
        assert wait_until(lambda: status.state == "running")
        assert (status.why, status.output_fault) == ("as configured", None)

    def test_a_crash_between_two_pulses_leaves_no_more_results_than_frames(self, supervise: Supervise) -> None:
        code = "started()\nfor number in range(20): decided(number)\nos.abort()"
        service = supervise(code)
        counts = service.supervisor.status.counts
        assert wait_until(lambda: counts.crashes >= 2)
        assert 40 <= counts.results <= counts.looked_at <= counts.captured

    def test_a_crash_after_the_last_result_that_was_asked_for_is_its_end(self, supervise: Supervise) -> None:
        service = supervise("started(); decided(0); decided(1); decided(2); os.abort()", max_frames=2)
        assert service.wait() == 0
        assert (len(service.memory.results), len(service.lives())) == (2, 1)

    def test_the_load_s_limit_is_told_to_the_worker(self, supervise: Supervise) -> None:
        service = supervise("channel.send(Ended('the end'))", Settings(bundle="none", load=Load(max_fps=2.5)))
        assert service.wait() == 0
        assert service.lives() == [("auto", None, 2.5)]


class TestGate:
    """Workers whose gate lets nothing through: they give no result, and are well. A fault would be found in 3.5 s."""

    STILL = (
        "started()\nnumber = 0\n"
        "while True:\n"
        "    number += 1\n"
        "    channel.send(Pulse(FrameCounts(captured=number, turned_away=number)))\n"
        "    time.sleep(0.1)\n"
    )

    def test_looking_is_a_sign_of_life(self, supervise: Supervise) -> None:
        service = supervise(self.STILL, IMPATIENT)
        status = service.supervisor.status
        assert wait_until(lambda: status.state == "running")
        time.sleep(8.0)
        assert (status.state, status.why, len(service.lives())) == ("running", "as configured", 1)
        assert (status.counts.hangs, status.counts.results, service.memory.results) == (0, 0, [])
        assert status.counts.looked_at == status.counts.turned_away > 50

    def test_a_worker_that_looks_at_nothing_new_is_replaced(self, supervise: Supervise) -> None:
        code = (
            "started()\nnumber = 0\n"
            "while True:\n"
            "    number = min(19, number + 1)\n"
            "    channel.send(Pulse(FrameCounts(turned_away=number)))\n"
            "    time.sleep(0.1)"
        )
        service = supervise(code, IMPATIENT)
        status = service.supervisor.status
        assert wait_until(lambda: status.state == "running")
        began_s = time.monotonic()
        assert wait_until(lambda: len(service.lives()) > 1)
        assert time.monotonic() - began_s < 2.0 + 3.5 + 3.0
        assert status.counts.hangs == 1

    def test_results_that_are_all_too_old_are_a_fault_though_frames_are_turned_away(self, supervise: Supervise) -> None:
        service = supervise(self.STILL.replace("number += 1", "number += 1; decided(number, age_s=60)"), IMPATIENT)
        assert wait_until(lambda: len(service.lives()) > 1)
        assert service.supervisor.status.counts.hangs == 1
        assert service.memory.results == []

    def test_what_was_looked_at_before_the_camera_failed_is_no_sign_after_it(self, supervise: Supervise) -> None:
        code = (
            "started(); channel.send(Pulse(FrameCounts(turned_away=9))); time.sleep(0.5)\n"
            "channel.send(Step('closing the camera', 'camera', 15.0))\n"
            "channel.send(Pulse(FrameCounts(turned_away=12)))\n"
            "channel.send(Trouble('unplugged', 69)); channel.send(Pulse(FrameCounts(turned_away=12)))\n"
            "(HERE / 'failed').touch(); time.sleep(60)"
        )
        service = supervise(code)
        assert wait_until(lambda: (service.folder / "failed").exists())
        time.sleep(0.5)
        status = service.supervisor.status
        assert (status.state, status.why, status.counts.camera_faults) == ("recovering", "unplugged", 1)

    def test_no_reboot_is_requested(self, supervise: Supervise) -> None:
        recovery = Recovery(reboot_after_min=0.02)
        service = supervise(self.STILL, msgspec.structs.replace(IMPATIENT, recovery=recovery))
        time.sleep(4.0)
        assert service.supervisor.status.state == "running"
        assert not (service.folder / REQUEST).exists()

    def test_it_makes_the_next_failure_the_first_again(self, supervise: Supervise) -> None:
        """The fourth worker would wait for two seconds."""
        fails = "channel.send(Failed('worker', 'a disk is full', 74)); time.sleep(9)"
        code = f"if life < 3: started(); {fails}\n" + self.STILL.replace("while True", "while number < 30") + fails
        service = supervise(code)
        assert wait_until(lambda: len(service.lives()) == 4 and service.supervisor.status.state == "running")
        assert wait_until(lambda: service.supervisor.status.state == "recovering", pause_s=0.005)
        began_s = time.monotonic()
        assert wait_until(lambda: len(service.lives()) == 5, pause_s=0.005)
        assert time.monotonic() - began_s < 1.9

    @pytest.mark.parametrize("fault", ["os.abort()", "channel.send(Failed('engine', 'broken', 69)); time.sleep(9)"])
    def test_an_engine_that_fails_at_each_frame_is_not_well_because_others_are_turned_away(
        self, supervise: Supervise, caplog: pytest.LogCaptureFixture, fault: str
    ) -> None:
        code = self.STILL.replace("while True", "while number < 25") + fault
        service = supervise(code)
        status = service.supervisor.status
        assert wait_until(lambda: status.state == "running")
        assert wait_until(lambda: status.state == "degraded"), "frames are looked at again"
        assert status.why.startswith("no result since: ")
        # Each worker looked at frames for 2.5 s. Forgotten failures would let each next one begin at once.
        assert wait_until(lambda: len(service.lives()) == 4)
        ended_s = wait_until(lambda: status.worker_pid is None, pause_s=0.005) and time.monotonic()
        assert wait_until(lambda: len(service.lives()) == 5, pause_s=0.005)
        assert time.monotonic() - ended_s > 1.9
        warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
        assert sum("starting another" in warning for warning in warnings) == 1

    def test_a_result_ends_the_doubt(self, supervise: Supervise) -> None:
        code = "if not life: started(); decided(0); os.abort()\n" + self.STILL.replace(
            "number += 1", "number += 1\n    if number == 20: decided(1)"
        )
        service = supervise(code)
        status = service.supervisor.status
        assert wait_until(lambda: status.state == "degraded")
        assert wait_until(lambda: status.state == "running")
        assert status.counts.results == 2

    def test_by_hand_an_engine_that_never_gave_a_result_is_given_up(self, supervise: Supervise) -> None:
        code = self.STILL.replace("while True", "while number < 5") + "channel.send(Failed('engine', 'broken', 69))"
        assert supervise(code, service=False).wait() == 69

    def test_one_that_hangs_is_not_blamed_on_the_edge_tpu(self, supervise: Supervise) -> None:
        code = (
            "started('in use'); decided(0)\nif life: serve()\n"
            "for s in range(99): channel.send(Pulse(FrameCounts(), 0.0, s / 10)); time.sleep(0.1)"
        )
        service = supervise(code, IMPATIENT)
        assert wait_until(lambda: len(service.lives()) > 1 and service.supervisor.status.state == "running")
        assert [device for device, _, _ in service.lives()] == ["auto", "auto"]
        assert service.supervisor.status.counts.edgetpu_losses == 0

    def test_by_hand_a_camera_that_was_looked_through_is_waited_for(self, supervise: Supervise) -> None:
        code = "if life: started(); serve()\n" + self.STILL.replace("while True", "while number < 10")
        service = supervise(code + "channel.send(Failed('camera', 'unplugged', 69))", service=False)
        assert wait_until(lambda: len(service.memory.results) > 3)

    def test_a_worker_makes_way_for_the_edge_tpu_without_a_result(
        self, supervise: Supervise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(side_jobs, "Child", lambda _, words, pass_fds: Child("a_probe", words, pass_fds=pass_fds))
        (tmp_path / "a_probe.py").write_text(f"import sys\nsys.exit({WORKS})")
        monkeypatch.setattr("edge.supervision.recovery.TRIAL_S", (0.1,))
        library = tmp_path / "libedgetpu.so"
        library.touch()
        code = self.STILL.replace("started()", "started() if life else started('refused', 'no device')")
        engine = Engine(edgetpu_library=str(library))
        service = supervise(code, Settings(bundle="none", camera=Camera(source="synthetic"), engine=engine))
        assert wait_until(lambda: len(service.lives()) > 1 and service.supervisor.status.state == "running")
        assert service.supervisor.status.counts.edgetpu_returns == 1

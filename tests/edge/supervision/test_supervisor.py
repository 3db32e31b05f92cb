"""The supervisor: with real workers that are killed and stopped, and with scripted ones that fail in every way."""

import logging
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from running import Running
from scripted import exists, is_gone, wait_until
from supervised import Memory, Supervised, starting

from edge.bundle.store import Bundle
from edge.config.running import Camera, Engine, Load, Recovery
from edge.config.settings import Settings
from edge.processes import side_jobs
from edge.processes.child import Child
from edge.processes.edgetpu_trial import WORKS
from edge.results import Result
from edge.supervision import supervisor
from edge.supervision.reboot import RECORD, REQUEST
from edge.supervision.status import read
from edge.supervision.supervisor import Supervisor

# --- real workers ---

StartRunning = Callable[..., Running]


@pytest.fixture
def start_service(sealed: Bundle, tmp_path: Path) -> Iterator[StartRunning]:
    """Start `fieldfare run` with the synthetic camera."""
    started: list[Running] = []

    def begin(*words: str, **options: object) -> Running:
        started.append(Running(tmp_path, sealed, *words, **options))  # type: ignore[arg-type]
        return started[-1]

    yield begin
    for one in started:
        one.close()


def catches(pid: int, number: int) -> bool:
    """Has a process a handler of its own for this signal?"""
    caught = re.search(r"^SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert caught is not None
    return bool(int(caught[1], 16) >> (number - 1) & 1)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_it_serves_says_so_and_ends_in_order(start_service: StartRunning, sealed: Bundle) -> None:
    service = start_service()
    status = service.wait_until_running()
    assert status.worker_pid is not None
    assert parent_of(status.worker_pid) == status.pid == service.process.pid
    assert (status.bundle, status.engine is not None, status.counts.worker_starts) == (sealed.bundle_id, True, 1)
    assert "synthetic camera 160x120" in (status.source or "")
    assert status.is_alive()
    service.wait_for_more(5)
    assert service.end() == 0
    assert not exists(status.worker_pid)
    ended = service.wait_for(lambda status: status.state == "stopped")
    assert ended.counts.results == service.results()
    assert ended.worker_pid is None
    assert not ended.is_alive()
    assert "Traceback" not in service.errors()


@pytest.mark.parametrize(
    ("number", "count", "words"),
    [
        (signal.SIGKILL, "crashes", "died of SIGKILL"),
        (signal.SIGSEGV, "crashes", "died of SIGSEGV"),
        (signal.SIGSTOP, "hangs", "sent nothing for 4 s"),
    ],
)
def test_a_worker_that_is_lost_is_replaced(start_service: StartRunning, number: int, count: str, words: str) -> None:
    service = start_service()
    lost = service.wait_until_running().worker_pid
    assert lost is not None
    os.kill(lost, number)
    status = service.wait_for(lambda status: status.state == "running" and status.worker_pid not in (lost, None))
    service.wait_for_more()
    assert not exists(lost)
    assert (getattr(status.counts, count), status.counts.worker_starts) == (1, 2)
    assert words in service.errors()
    assert service.end() == 0


@pytest.mark.parametrize(
    ("word", "starts", "count"),
    [
        ("vanish", 1, "camera_faults"),
        ("freeze", 1, "repeated"),
        ("stall", 1, "camera_faults"),
        ("hang", 2, "camera_faults"),
        ("abort", 2, "crashes"),
    ],
)
def test_whatever_a_camera_suffers_it_is_lived_through(
    start_service: StartRunning, tmp_path: Path, word: str, starts: int, count: str
) -> None:
    script = tmp_path / "script"
    script.write_text("run\n")
    service = start_service(script=f"@{script}")
    service.wait_until_running()
    service.wait_for_more()
    script.write_text(f"{word}\n")
    status = service.wait_for(lambda status: status.state == "recovering" and getattr(status.counts, count))
    script.write_text("run\n")
    status = service.wait_until_running()
    service.wait_for_more()
    assert (status.counts.worker_starts >= starts, getattr(status.counts, count) >= 1) == (True, True)
    assert service.end() == 0
    assert "Traceback" not in service.errors()


def test_a_camera_that_stays_frozen_gives_no_results(start_service: StartRunning, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("run\n")
    service = start_service(script=f"@{script}")
    service.wait_until_running()
    script.write_text("freeze\n")
    status = service.wait_for(lambda status: status.state == "recovering")
    assert "the very same picture" in status.why
    before = service.results()
    time.sleep(2.0)
    assert service.results() <= before + 1
    assert service.wait_for(lambda status: status.state == "recovering").counts.repeated > 0


def test_a_worker_does_not_outlive_its_supervisor(start_service: StartRunning) -> None:
    service = start_service()
    worker = service.wait_until_running().worker_pid
    assert worker is not None
    assert service.end(signal.SIGKILL) == -signal.SIGKILL
    assert is_gone(worker)


@pytest.mark.parametrize("both", [False, True], ids=["the supervisor alone", "worker and supervisor"])
def test_being_held_up_itself_is_not_the_worker_s_fault(start_service: StartRunning, both: bool) -> None:
    """As with `systemctl freeze`, a paused virtual machine, or a board that swaps."""
    service = start_service()
    worker = service.wait_until_running().worker_pid
    assert worker is not None
    held = (worker, service.process.pid) if both else (service.process.pid,)
    for pid in held:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(6.5)  # longer than silence or an inference may last
    for pid in reversed(held):
        os.kill(pid, signal.SIGCONT)
    service.wait_for_more(30)
    status = service.wait_until_running()
    assert (status.worker_pid, status.counts.worker_starts, status.counts.hangs) == (worker, 1, 0)


def test_a_stopped_worker_does_not_delay_the_end_for_long(start_service: StartRunning) -> None:
    service = start_service()
    worker = service.wait_until_running().worker_pid
    assert worker is not None
    os.kill(worker, signal.SIGSTOP)
    assert service.end() == 0
    assert not exists(worker)


def test_a_second_signal_ends_it_at_once(start_service: StartRunning) -> None:
    service = start_service()
    worker = service.wait_until_running().worker_pid
    assert worker is not None
    os.kill(worker, signal.SIGSTOP)
    service.process.send_signal(signal.SIGTERM)
    assert wait_until(lambda: not catches(service.process.pid, signal.SIGTERM)), "as it does after the first"
    assert service.end() == -signal.SIGTERM
    assert is_gone(worker)


def test_as_a_service_it_waits_for_a_camera_that_is_not_there(start_service: StartRunning) -> None:
    service = start_service("--service", source="/dev/video93")
    status = service.wait_for(lambda status: status.state == "recovering")
    assert "/dev/video93" in status.why
    time.sleep(1.0)
    assert service.process.poll() is None
    assert service.end() == 0


# --- scripted workers ---

PREFACE = """
import os, signal, socket, sys, threading, time
from pathlib import Path
import msgspec
from edge.processes.messages import *
from edge.results import Latency, Result
channel = WorkerChannel(socket.socket(fileno=int(sys.argv[1])))
HERE = Path(__file__).parent
life = len(list(HERE.glob("life-*")))

def order():
    while True:
        try:
            return msgspec.msgpack.decode(channel.socket.recv(1 << 18, socket.MSG_DONTWAIT) or os._exit(0))
        except BlockingIOError:
            time.sleep(0.01)

def obey():
    while order()[0] != "Stop":
        pass
    os._exit(0)

begin = order()
threading.Thread(target=obey, daemon=True).start()
device, fallback, fps = begin[2], begin[3], begin[4]
(HERE / "life").write_text(repr((device, fallback, fps)))
(HERE / "life").rename(HERE / f"life-{life}")  # whole, or not there

def started(accelerator="none", fallback=None):
    channel.send(Step("opening the camera", "camera", 30.0))
    channel.send(Started("abc", "birds", 5, "cpu", "scripted", True, accelerator, fallback))
    channel.send(Step("classifying", "camera", float("inf")))

def decided(number, age_s=0.0):
    now = time.monotonic() - age_s
    latency = Latency(0.0, 0.0, 0.0, 0.0, 1.0)
    channel.send(Decided(Result(number, "owl", 0.9, (), 1.7e9, now, latency, "cpu", "abc", 0)))

def serve():
    number = 0
    while True:
        decided(number)
        channel.send(Pulse(FrameCounts(number)))
        number += 1
        time.sleep(0.05)
"""
SCRIPTED = Settings(bundle="none", camera=Camera(source="synthetic"), engine=Engine(device="auto"))

# Starved after 2 * 0.5 + 2 + 0.5 seconds.
IMPATIENT = Settings(
    bundle="none", camera=Camera(source="synthetic", timeout_s=0.5), engine=Engine(device="auto", timeout_s=0.5)
)


Supervise = Callable[..., Supervised]


@pytest.fixture
def supervise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervise]:
    """Run a supervisor whose workers are the given Python code."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    running: list[Supervised] = []

    def begin(code: str, settings: Settings = SCRIPTED, sink: Memory | None = None, **options: object) -> Supervised:
        (tmp_path / "a_worker.py").write_text(PREFACE + code)
        options = {"start": starting("a_worker"), **options}
        running.append(Supervised(tmp_path, settings, sink or Memory(), **options))
        return running[-1]

    yield begin
    for one in running:
        one.close()


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


class TestFaults:
    def test_a_crash_with_last_words_is_outlived_every_time(
        self, supervise: Supervise, caplog: pytest.LogCaptureFixture
    ) -> None:
        # The line hangs up and the words arrive in the same moment.
        code = "if life < 3: os.write(2, b'ERROR driver.c: assertion\\n'); os._exit(1)\nstarted(); serve()"
        service = supervise(code)
        assert wait_until(lambda: service.memory.results)
        assert service.supervisor.status.counts.crashes == 3
        assert "the worker ended with status 1 while starting (last words: ERROR driver.c: assertion)" in caplog.text

    def test_a_camera_in_trouble_is_waited_for(self, supervise: Supervise) -> None:
        code = (
            "started(); channel.send(Trouble('unplugged', 69))\n"
            "while not (HERE / 'go').exists(): time.sleep(0.02); channel.send(Pulse(FrameCounts()))\n"
            "started(); serve()"
        )
        service = supervise(code)
        status = service.supervisor.status
        assert wait_until(lambda: (status.state, status.why) == ("recovering", "unplugged"))
        (service.folder / "go").touch()
        assert wait_until(lambda: status.state == "running")
        assert (status.counts.camera_faults, status.counts.worker_starts) == (1, 1)

    @pytest.mark.parametrize(
        "code",
        [
            "channel.send(Trouble('unplugged', 69)); time.sleep(60)",
            "channel.send(Failed('camera', 'unplugged', 69))",
        ],
    )
    def test_by_hand_a_camera_that_is_not_there_ends_it(self, supervise: Supervise, code: str) -> None:
        service = supervise(code, service=False)
        assert service.wait() == 69
        assert service.supervisor.complaint == "unplugged"
        assert (service.supervisor.status.state, len(service.lives())) == ("failed", 1)

    @pytest.mark.parametrize("said", ["decided(1, age_s=60)", "pass"], ids=["too old", "nothing"])
    def test_a_worker_that_calls_itself_well_and_gives_nothing_fresh_is_replaced(
        self, supervise: Supervise, said: str
    ) -> None:
        code = (
            "started(); decided(0)\nif life: serve()\n"
            f"while True: {said}; channel.send(Pulse(FrameCounts())); time.sleep(0.05)"
        )
        service = supervise(code, IMPATIENT)
        assert wait_until(lambda: len(service.memory.results) > 3)
        assert len(service.lives()) == 2
        assert service.supervisor.status.counts.hangs == 1

    @pytest.mark.parametrize("frozen_s", [2.0, 0.0])
    def test_results_that_are_all_too_old_from_the_start_are_no_secret(
        self, supervise: Supervise, frozen_s: float
    ) -> None:
        settings = msgspec.structs.replace(
            IMPATIENT, camera=msgspec.structs.replace(IMPATIENT.camera, frozen_s=frozen_s)
        )
        code = "started()\nwhile True: decided(1, age_s=60); channel.send(Pulse(FrameCounts())); time.sleep(0.05)"
        service = supervise(code, settings)
        assert wait_until(lambda: service.supervisor.status.state == "recovering")
        # The time to the supervisor adds to the age.
        assert re.search(r"60\.\d s old when ready, at most 0\.5 s \(camera", service.supervisor.status.why)
        assert wait_until(lambda: len(service.lives()) > 2)
        assert service.memory.results == []

    def test_a_late_result_before_a_camera_fails_is_not_the_reason(self, supervise: Supervise) -> None:
        code = (
            "started(); decided(0); decided(1, age_s=60)\n"
            "while True:\n"
            "    channel.send(Trouble('unplugged', 69)); channel.send(Pulse(FrameCounts(2))); time.sleep(0.1)"
        )
        service = supervise(code, IMPATIENT)
        assert wait_until(lambda: service.supervisor.status.state == "recovering")
        time.sleep(4.5)
        assert (service.supervisor.status.why, len(service.lives())) == ("unplugged", 1)

    def test_where_a_repeated_picture_is_no_fault_silence_is_none(self, supervise: Supervise) -> None:
        settings = msgspec.structs.replace(IMPATIENT, camera=msgspec.structs.replace(IMPATIENT.camera, frozen_s=0.0))
        service = supervise(
            "started()\nwhile True: channel.send(Pulse(FrameCounts(9, 0, 9))); time.sleep(0.05)", settings
        )
        time.sleep(4.5)
        assert (len(service.lives()), service.supervisor.status.counts.hangs) == (1, 0)

    def test_by_hand_a_crash_at_the_start_is_tried_three_times(self, supervise: Supervise) -> None:
        service = supervise("os.abort()", service=False)
        assert service.wait() == 69
        assert "died of SIGABRT" in (service.supervisor.complaint or "")
        assert len(service.lives()) == 3

    def test_by_hand_too_a_camera_that_once_served_is_waited_for(self, supervise: Supervise) -> None:
        code = "started(); decided(life)\nif life: serve()\nchannel.send(Failed('camera', 'unplugged', 69))"
        service = supervise(code, service=False)
        assert wait_until(lambda: len(service.memory.results) > 3)
        assert len(service.lives()) == 2

    def test_a_service_waits_for_a_file_that_is_missing(self, supervise: Supervise) -> None:
        code = "if life > 1: started(); serve()\nchannel.send(Failed('worker', 'bundle birds: no bundle there', 66))"
        service = supervise(code)
        assert wait_until(lambda: service.memory.results)
        assert len(service.lives()) == 3

    @pytest.mark.parametrize("status", [65, 72, 78])
    def test_a_service_that_has_served_waits_for_files_that_are_being_replaced(
        self, supervise: Supervise, status: int
    ) -> None:
        """Half a bundle is a damaged one, half an update lacks libraries; and nobody is there to start it again."""
        code = (
            "if life == 0: started(); decided(0); os.abort()\nif life > 2: started(); serve()\n"
            f"channel.send(Failed('worker', 'birds is damaged', {status}))"
        )
        service = supervise(code)
        assert wait_until(lambda: len(service.memory.results) > 3)
        assert len(service.lives()) == 4

    @pytest.mark.parametrize(("status", "service"), [(65, True), (66, False), (72, True), (78, True)])
    def test_what_no_repetition_mends_ends_even_a_service(
        self, supervise: Supervise, status: int, service: bool
    ) -> None:
        running = supervise(f"channel.send(Failed('worker', 'birds is damaged', {status}))", service=service)
        assert running.wait() == status
        assert running.supervisor.complaint == "birds is damaged"
        ended = read(running.folder / "status.json")
        assert (ended.state, ended.why) == ("failed", "birds is damaged")

    def test_a_replay_is_not_begun_again_after_a_crash(self, supervise: Supervise) -> None:
        settings = Settings(bundle="none", camera=Camera(source="pictures"))
        service = supervise("started(); decided(0); os.abort()", settings)
        assert service.wait() == 69
        assert len(service.lives()) == 1

    def test_an_error_of_our_own_is_logged_with_its_trace_and_tried_again(
        self, supervise: Supervise, caplog: pytest.LogCaptureFixture
    ) -> None:
        code = "if life: started(); serve()\nchannel.send(Failed('worker', 'KeyError: 7', 1, 'Traceback: line 7'))"
        service = supervise(code)
        assert wait_until(lambda: service.memory.results)
        assert "Traceback: line 7" in caplog.text

    def test_where_no_process_can_be_started_it_tries_again(self, supervise: Supervise) -> None:
        refused = threading.Event()

        def refuse_once(words: Sequence[str], *, pass_fds: Sequence[int]) -> Child:
            if not refused.is_set():
                refused.set()
                raise OSError(12, "Cannot allocate memory")
            return starting("a_worker")(words, pass_fds=pass_fds)

        service = supervise("started(); serve()", start=refuse_once)
        assert wait_until(lambda: "Cannot allocate memory" in service.supervisor.status.why)
        assert wait_until(lambda: service.memory.results)


def test_by_hand_it_gives_up_where_no_process_can_be_started(supervise: Supervise) -> None:
    def refuse(*_: object, **__: object) -> Child:
        raise OSError(12, "Cannot allocate memory")

    service = supervise("serve()", service=False, start=refuse)
    assert service.wait() == 69
    assert "no worker could be started" in (service.supervisor.complaint or "")


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

"""The supervisor with scripted workers that send events, scripted recorders and outputs, and a schedule."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
import recorders
from recorders import noted, open_pictures, pids
from scripted import exists, is_gone, wait_until
from supervised import Memory, Supervised, starting

from edge.config.keeping import Device, Events, Schedule, Window
from edge.config.running import Camera, Recovery
from edge.config.sending import EventLines
from edge.config.settings import Settings
from edge.events.records import ClockQuality
from edge.results import Result
from edge.supervision.beside import attended
from edge.supervision.load.sleep import Sleep
from edge.supervision.parts import Helpers
from edge.supervision.recording import recording
from edge.supervision.status import read
from edge.supervision.systemd import SystemdNotifier

# A worker of few lines; `sight` sends a sighting, with a picture once it has ended.
WORKER = """
import os, signal, socket, sys, threading, time
from itertools import pairwise
from pathlib import Path
import msgspec
from edge.events.records import PictureInfo, Sighting
from edge.processes.child import die_with
from edge.processes.messages import *
from edge.results import Latency, Result
die_with(int(sys.argv[2]))
channel = WorkerChannel(socket.socket(fileno=int(sys.argv[1])))
HERE = Path(__file__).parent
with (HERE / "workers").open("a") as lives:
    lives.write(f"{os.getpid()}\\n")
life = (HERE / "workers").read_text().count("\\n") - 1
stopped = threading.Event()

def obey():
    while True:
        try:
            if (msgspec.msgpack.decode(channel.socket.recv(1 << 18)) or [""])[0] == "Stop":
                stopped.set()
                return
        except (OSError, ValueError, msgspec.DecodeError):
            os._exit(0)

threading.Thread(target=obey, daemon=True).start()
channel.send(Started("abc", "birds", 5, "cpu", "scripted", True, "none", None))
channel.send(Step("classifying", "camera", float("inf")))
numbers = iter(range(10**9))

def decided():
    latency = Latency(0.0, 0.0, 0.0, 0.0, 1.0)
    now = time.monotonic()
    channel.send(Decided(Result(next(numbers), "owl", 0.9, (), time.time(), now, latency, "cpu", "abc", 0)))
    channel.send(Pulse(FrameCounts(1)))

def sight(number, label="owl", ended=True, size=100):
    now = time.monotonic()
    sighting = Sighting(number=number, label=label, begin_mono_s=now, end_mono_s=now, peak=0.9, peak_mono_s=now,
        mean=0.8, frames=3, ended=ended)
    if not ended:
        channel.send(Sighted(sighting))
        return
    file = os.memfd_create("a-picture"); os.truncate(file, size)
    info = PictureInfo(kind="best", captured_mono_s=now, width=4, height=3)
    channel.send(Sighted(sighting, (info,)), [file])
    os.close(file)

def serve():
    while not stopped.wait(0.05):
        decided()

def end():
    channel.send(Ended("stopped")); os._exit(0)
"""
SERVES = "decided(); sight(1, 'owl', ended=False)\nserve()\nsight(1, 'owl')\nend()"
KEEPS = "receive(); keep()"
SETTINGS = Settings(bundle="none", camera=Camera(source="synthetic"), events=Events(store="events.db"))


@dataclass
class Wall:
    """A wall clock, and a schedule by which the camera is awake in the second half of each day."""

    offset_s: float = 0.0
    quality: ClockQuality = "ntp"

    def look(self) -> "Wall":
        return self

    def set(self, hour: float) -> None:
        """Set the clock to this hour of a day."""
        self.offset_s = 20_000 * 86_400 + hour * 3600 - time.monotonic()

    def is_awake(self, wall_s: float) -> bool:
        return wall_s % 86_400 >= 43_200

    def next_change(self, wall_s: float) -> float | None:
        return wall_s - wall_s % 43_200 + 43_200


Supervise = Callable[..., Supervised]


@pytest.fixture
def supervise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervise]:
    """Run a supervisor whose workers, recorders and outputs run the given code."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(attended, "_PAUSES_S", (0.1,))
    monkeypatch.setattr(recording, "FINISH_S", 3.0)
    running: list[Supervised] = []

    def begin(
        worker: str = SERVES,
        recorder: str = KEEPS,
        settings: Settings = SETTINGS,
        outputs: str | None = None,
        wall: Wall | None = None,
        sink: Memory | None = None,
        **options: object,
    ) -> Supervised:
        for name, code in [("a_worker", WORKER + worker), ("a_recorder", recorders.PREFACE + recorder)]:
            (tmp_path / f"{name}.py").write_text(code)
        (tmp_path / "some_outputs.py").write_text(
            recorders.PREFACE.replace("RecorderChannel(", "OutputsChannel(") + str(outputs)
        )
        helpers = Helpers(recorders.starting("a_recorder"), recorders.starting("some_outputs") if outputs else None)
        sleep = Sleep(wall, wall) if wall is not None else None
        if wall is not None:  # the schedule itself is `wall`
            schedule = Schedule(awake=(Window(begin="12:00", end="23:59"),))
            settings = msgspec.structs.replace(settings, schedule=schedule)
        options = {"start": starting("a_worker"), "helpers": helpers, "sleep": sleep, **options}
        running.append(Supervised(tmp_path, settings, sink or Memory(), **options))
        return running[-1]

    yield begin
    for one in running:
        one.close()
    for pid in pids(tmp_path):
        if not is_gone(pid, 0.0):
            os.kill(pid, signal.SIGKILL)
    assert open_pictures() == 0


def ended(folder: Path) -> list[str]:
    """The labels of the events that recorders got as ended, with the sizes of their pictures."""
    words = [line.split() for line in noted(folder)]
    return [" ".join([word[2], *word[4:]]) for word in words if word[0] == "event" and word[3] == "True"]


def workers(folder: Path) -> int:
    file = folder / "workers"
    return file.read_text().count("\n") if file.exists() else 0


class TestEvents:
    def test_they_go_from_the_worker_to_the_recorder_with_their_pictures(
        self, supervise: Supervise, tmp_path: Path
    ) -> None:
        service = supervise("decided(); sight(1, 'owl', size=321); sight(2, 'fox', size=7)\nserve(); end()")
        assert wait_until(lambda: ended(tmp_path) == ["owl 321", "fox 7"])
        status = service.supervisor.status
        assert wait_until(lambda: status.events and (status.events.stored, status.events.waiting) == (2, 0))
        assert (status.state, status.why) == ("running", "as configured")
        assert wait_until(lambda: read(tmp_path / "status.json").events is not None)

    def test_without_a_store_nothing_is_kept_and_no_recorder_runs(self, supervise: Supervise, tmp_path: Path) -> None:
        service = supervise("sight(1)\nserve(); end()", settings=Settings(bundle="none", camera=SETTINGS.camera))
        assert wait_until(lambda: len(service.memory.results) > 5)
        assert (pids(tmp_path), service.supervisor.status.events, open_pictures()) == ([], None, 0)

    def test_what_a_crashed_worker_left_open_ends(self, supervise: Supervise, tmp_path: Path) -> None:
        worker = "decided(); sight(1, 'owl', ended=False)\nif not life: time.sleep(0.3); os.abort()\nserve(); end()"
        service = supervise(worker)
        assert wait_until(lambda: ended(tmp_path) == ["owl"])
        service.close()
        assert ended(tmp_path) == ["owl", "owl"], "its successor's is another event"
        sequences = {line.split()[1] for line in noted(tmp_path) if line.startswith("event")}
        assert len(sequences) == 2

    def test_the_worker_s_last_events_are_kept_at_the_end(self, supervise: Supervise, tmp_path: Path) -> None:
        service = supervise()
        assert wait_until(lambda: service.memory.results and noted(tmp_path))
        service.close()
        assert service.ended == 0
        assert ended(tmp_path) == ["owl 100"]
        assert noted(tmp_path)[-1] == "finish"
        assert not any(exists(pid) for pid in pids(tmp_path))

    def test_a_sink_that_ends_the_service_loses_no_event(self, supervise: Supervise, tmp_path: Path) -> None:
        class Broken(Memory):
            def write(self, result: Result) -> None:
                raise BrokenPipeError(32, "Broken pipe")

        service = supervise("sight(1, 'owl'); decided()\nserve()", sink=Broken())
        assert isinstance(service.wait(), BrokenPipeError)
        assert ended(tmp_path) == ["owl 100"]


class TestARecorderThatFails:
    def test_the_service_is_degraded_until_it_is_back(self, supervise: Supervise, tmp_path: Path) -> None:
        recorder = "while not (HERE / 'room').exists(): pulse('disk full'); time.sleep(0.05)\nkeep()"
        service = supervise("sight(1)\nserve(); end()", recorder)
        status = service.supervisor.status
        assert wait_until(lambda: status.state == "degraded")
        assert wait_until(lambda: status.why == "events wait in memory: disk full (1 waiting)")
        (tmp_path / "room").touch()
        assert wait_until(lambda: (status.state, status.why) == ("running", "as configured"))
        assert ended(tmp_path) == ["owl 100"]
        assert workers(tmp_path) == 1

    @pytest.mark.parametrize(
        "recorder",
        [
            "pulse(); time.sleep(600)",
            "pulse(); os.kill(os.getpid(), signal.SIGSTOP)",
            "os.abort()",
            "while True: pulse(); time.sleep(0.01)",
            "while True: receive(0.01); pulse()",
        ],
        ids=["never reads", "hangs", "dies at once", "pulses only", "reads and keeps nothing"],
    )
    def test_the_loop_goes_on_meanwhile(
        self, supervise: Supervise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorder: str
    ) -> None:
        """A frame's way to the sink, and the supervisor's ticks, are as quick as without a recorder."""
        ticks: list[float] = []
        monkeypatch.setattr(SystemdNotifier, "alive", lambda *_: ticks.append(time.monotonic()))

        class Timed(Memory):
            late_s: list[float] = []  # noqa: RUF012 - one run each

            def write(self, result: Result) -> None:
                self.late_s.append(time.monotonic() - result.captured_mono_s)
                super().write(result)

        Timed.late_s = []
        worker = (
            "number = 0\nwhile not stopped.wait(0.01):\n    number += 1; decided(); sight(number, size=20_000)\nend()"
        )
        service = supervise(worker, recorder, sink=Timed())
        assert wait_until(lambda: len(service.memory.results) > 400)
        gaps = sorted(later - earlier for earlier, later in pairwise(ticks))
        # A tick is due every quarter of a second. Two cores may be busy with other tests.
        assert gaps[-1] < 1.5
        late = sorted(Timed.late_s)
        assert late[len(late) // 2] < 0.02
        assert late[int(len(late) * 0.99)] < 0.5
        status = service.supervisor.status
        assert status.events is not None
        assert status.events.waiting > 300
        assert status.counts.worker_starts == 1


class TestSchedule:
    def test_it_begins_asleep_and_is_ready(
        self, supervise: Supervise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ready: list[str] = []
        monkeypatch.setattr(SystemdNotifier, "ready", lambda _, words: ready.append(words()))
        wall = Wall()
        wall.set(hour=3)
        service = supervise(wall=wall)
        status = service.supervisor.status
        assert wait_until(lambda: status.state == "asleep" and ready)
        assert ready[0].startswith("asleep: by the schedule, until ")
        assert (status.asleep_until_wall_s, status.clock) == (20_000 * 86_400 + 43_200, "ntp")
        assert status.awake_until_wall_s is None
        assert workers(tmp_path) == 0
        service.close()
        assert (service.ended, status.state) == (0, "stopped")

    def test_it_falls_asleep_ends_its_events_and_wakes_up(self, supervise: Supervise, tmp_path: Path) -> None:
        wall = Wall()
        wall.set(hour=15)
        service = supervise(wall=wall)
        status = service.supervisor.status
        assert wait_until(lambda: status.state == "running" and noted(tmp_path))
        wall.set(hour=3)
        assert wait_until(lambda: status.state == "asleep", 5.0)
        assert status.worker_pid is None
        assert wait_until(lambda: ended(tmp_path) == ["owl 100"])
        results = len(service.memory.results)
        time.sleep(1.0)
        assert len(service.memory.results) == results
        wall.set(hour=15)
        assert wait_until(lambda: status.state == "running", 20.0)
        assert (workers(tmp_path), status.counts.crashes, status.counts.hangs) == (2, 0, 0)
        assert status.asleep_until_wall_s is None
        assert status.awake_until_wall_s == 20_001 * 86_400

    def test_a_worker_that_does_not_end_by_itself_is_no_fault(self, supervise: Supervise, tmp_path: Path) -> None:
        wall = Wall()
        wall.set(hour=15)
        service = supervise("decided(); sight(1, ended=False)\nwhile True: decided(); time.sleep(0.05)", wall=wall)
        status = service.supervisor.status
        assert wait_until(lambda: status.state == "running")
        wall.set(hour=3)
        assert wait_until(lambda: status.state == "asleep", 10.0)
        assert (status.counts.crashes, status.counts.hangs) == (0, 0)
        assert wait_until(lambda: ended(tmp_path) == ["owl"])

    def test_jumps_by_ten_years_are_followed_within_seconds(self, supervise: Supervise) -> None:
        wall = Wall()
        wall.set(hour=15)
        service = supervise(wall=wall)
        status = service.supervisor.status
        assert wait_until(lambda: status.state == "running")
        for years in (10, -20):
            wall.offset_s += years * 365 * 86_400 - 43_200
            assert wait_until(lambda: status.state == "asleep", 6.0)
            wall.offset_s += 43_200
            assert wait_until(lambda: status.state == "running", 20.0)

    def test_without_a_time_to_trust_it_stays_awake_and_says_so(self, supervise: Supervise) -> None:
        wall = Wall(quality="none")
        wall.set(hour=3)
        service = supervise(wall=wall)
        status = service.supervisor.status
        assert wait_until(lambda: status.state == "degraded")
        assert (status.why, status.clock) == ("the schedule is not followed: the time is not known", "none")
        wall.quality = "ntp"
        assert wait_until(lambda: status.state == "asleep")

    def test_a_night_is_no_missing_camera(self, supervise: Supervise, tmp_path: Path) -> None:
        """Otherwise a camera that fails as it wakes up would be reset, and the board started again, at once."""
        wall = Wall()
        wall.set(hour=3)
        settings = msgspec.structs.replace(SETTINGS, recovery=Recovery(reboot_after_min=0.05))
        service = supervise(
            "channel.send(Trouble('unplugged', 69))\nwhile True: time.sleep(1)", settings=settings, wall=wall
        )
        time.sleep(4.0)
        wall.set(hour=15)
        assert wait_until(lambda: service.supervisor.status.state == "recovering")
        time.sleep(0.6)
        assert service.supervisor.status.counts.reboots_asked == 0

    def test_what_waits_is_said_while_it_sleeps_too(self, supervise: Supervise) -> None:
        wall = Wall()
        wall.set(hour=15)
        service = supervise("sight(1)\nserve(); end()", "while True: pulse('disk full'); time.sleep(0.05)", wall=wall)
        status = service.supervisor.status
        assert wait_until(lambda: status.state == "degraded")
        wall.set(hour=3)
        assert wait_until(lambda: status.state == "asleep")
        assert status.why.endswith("; events wait in memory: disk full (1 waiting)")

    def test_a_replay_never_sleeps(self, supervise: Supervise) -> None:
        wall = Wall()
        wall.set(hour=3)
        settings = msgspec.structs.replace(SETTINGS, camera=Camera(source="pictures"))
        service = supervise("for _ in range(5): decided()\nend()", settings=settings, wall=wall)
        assert service.wait() == 0
        assert len(service.memory.results) == 5


class TestOutputs:
    SETTINGS = msgspec.structs.replace(SETTINGS, event_lines=EventLines(file="events.jsonl"), device=Device(name="pi"))
    WELL = (
        "begin = receive(); note('outputs', begin.device, begin.settings.event_lines.file)\n"
        "line.send(OutputsPulse((OutputState(name='event_lines', waiting=3),)))\nreceive()"
    )

    def test_they_get_the_settings_and_report(self, supervise: Supervise, tmp_path: Path) -> None:
        service = supervise(outputs=self.WELL, settings=self.SETTINGS)
        status = service.supervisor.status
        assert wait_until(lambda: status.outputs)
        assert [(one.name, one.fault, one.waiting) for one in status.outputs] == [("event_lines", None, 3)]
        assert "outputs pi events.jsonl" in noted(tmp_path)
        service.close()
        assert "hung up" in noted(tmp_path)

    def test_they_go_on_until_the_recorder_has_written_the_last_events(
        self, supervise: Supervise, tmp_path: Path
    ) -> None:
        service = supervise(outputs=self.WELL, settings=self.SETTINGS)
        assert wait_until(lambda: service.supervisor.status.outputs)
        service.close()
        assert noted(tmp_path)[-2:] == ["finish", "hung up"], "the recorder's last word, then theirs"

    def test_without_an_output_none_run(self, supervise: Supervise, tmp_path: Path) -> None:
        service = supervise(outputs=self.WELL)
        assert wait_until(lambda: len(service.memory.results) > 5)
        assert not any(line.startswith("outputs") for line in noted(tmp_path))

    def test_if_another_service_runs_them_none_run_here(self, supervise: Supervise, tmp_path: Path) -> None:
        service = supervise(settings=self.SETTINGS)
        assert wait_until(lambda: len(service.memory.results) > 5)
        assert service.supervisor.status.outputs == ()

    def test_those_that_fail_disturb_nobody(self, supervise: Supervise) -> None:
        service = supervise(outputs="os.abort()", settings=self.SETTINGS)
        status = service.supervisor.status
        assert wait_until(lambda: status.outputs_fault == "the outputs died of SIGABRT")
        assert wait_until(lambda: len(service.memory.results) > 20)
        assert (status.state, status.counts.worker_starts) == ("running", 1)

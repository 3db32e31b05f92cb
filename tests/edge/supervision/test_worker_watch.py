"""The verdicts on a worker, with small children that do what a bad worker does."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from scripted import exists, is_gone, wait_until

from edge.config.running import Camera, Engine
from edge.config.settings import Settings
from edge.processes.messages import Begin, Ended, Message, Pulse, Sampled, SetPace, Started, Trouble
from edge.processes.worker_process import start_worker
from edge.results import FrameCounts
from edge.supervision import worker_watch as watch
from edge.supervision.recovery import Fault
from edge.supervision.worker_watch import WorkerWatch

pytestmark = pytest.mark.process
SETTINGS = Settings(bundle="none", camera=Camera(source="synthetic"), engine=Engine(timeout_s=0.5))
PREFACE = """
import os, signal, socket, sys, time
from edge.processes.messages import *
channel = WorkerChannel(socket.socket(fileno=int(sys.argv[1])))
def wait():
    while (message := channel.receive()) is None:
        time.sleep(0.01)
    return message
begin = wait()
"""
CLASSIFYING = "channel.send(Step('classifying', 'camera', float('inf')))\n"
SLEEP = "time.sleep(60)\n"

Start = Callable[[str], WorkerWatch]


# The module of the test in place of the worker.
start_a_worker = partial(start_worker, module="a_worker")


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start Python code in place of the worker. Silence lasts a second, not four."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(watch, "SILENCE_S", 1.0)
    watches: list[WorkerWatch] = []

    def begin(code: str) -> WorkerWatch:
        (tmp_path / "a_worker.py").write_text(PREFACE + code)
        watches.append(WorkerWatch(Begin(SETTINGS, "cpu", None, None), os.getpid(), start_a_worker))
        return watches[-1]

    yield begin
    for one in watches:
        if one.channel.fileno() != -1:
            one.end()


def heard(worker: WorkerWatch) -> list[Message]:
    """What was received, without the files beside it."""
    return [message for message, _ in worker.messages()]


def judge(worker: WorkerWatch) -> tuple[Fault | Ended, list[Message]]:
    """The verdict when it comes, and what was said until then."""
    said: list[Message] = []
    assert wait_until(lambda: said.extend(heard(worker)) or worker.verdict())
    verdict = worker.verdict()
    assert verdict is not None
    return verdict, said


def test_a_crash_while_it_classifies_is_nobodys_in_particular(start: Start) -> None:
    """Camera, OpenCV and engine all run then."""
    worker = start(CLASSIFYING + "time.sleep(0.2); os.abort()")
    verdict, _ = judge(worker)
    assert isinstance(verdict, Fault)
    assert (verdict.kind, verdict.part) == ("crash", "worker")


def test_a_step_that_takes_too_long_is_a_hang_of_its_part(start: Start) -> None:
    worker = start("channel.send(Step('opening the camera', 'camera', 0.3))\n" + SLEEP)
    assert judge(worker)[0] == Fault("hang", "camera", "opening the camera took more than 0.3 s", 69)
    assert worker.child.exit_status() is None


def test_a_step_may_take_its_time_without_a_word(start: Start) -> None:
    worker = start("channel.send(Step('loading', 'worker', 30.0))\n" + SLEEP)
    assert wait_until(lambda: list(worker.messages()) or worker.step.name == "loading")
    time.sleep(1.2)
    assert worker.verdict() is None


def test_an_inference_that_takes_too_long_is_a_hang_of_the_engine(start: Start) -> None:
    pulses = "for s in range(100): channel.send(Pulse(FrameCounts(1), s / 10)); time.sleep(0.1)\n"
    assert judge(start(CLASSIFYING + pulses))[0] == Fault("hang", "engine", "an inference took more than 0.5 s", 69)


def test_a_gate_that_takes_too_long_is_a_hang_of_its_own(start: Start) -> None:
    """Neither the camera's nor the engine's, though no frame is read meanwhile."""
    pulses = "for s in range(100): channel.send(Pulse(FrameCounts(1), 0.0, s / 10)); time.sleep(0.1)\n"
    fault = Fault("hang", "gate", "the gate took more than 0.5 s for a frame", 69)
    assert judge(start(CLASSIFYING + pulses))[0] == fault


def test_an_inference_is_not_blamed_for_the_time_that_we_were_held_up(start: Start) -> None:
    worker = start(CLASSIFYING + "channel.send(Pulse(FrameCounts(1), 60.1))\n" + SLEEP)
    worker.excuse(60.0)
    assert wait_until(lambda: list(worker.messages()) and worker.pulse.inferring_s)
    assert worker.verdict() is None
    assert judge(worker)[0] == Fault("hang", "engine", "an inference took more than 0.5 s", 69)  # not for ever


def test_silence_is_a_hang(start: Start) -> None:
    worker = start(CLASSIFYING + "os.kill(os.getpid(), signal.SIGSTOP)")
    assert judge(worker)[0] == Fault("hang", "worker", "the worker sent nothing for 1 s", 69)


def test_where_we_were_slow_to_listen_the_worker_is_not_blamed(start: Start) -> None:
    code = "for n in range(200): channel.send(Trouble(str(n), 69))\n"
    worker = start(CLASSIFYING + code + SLEEP)
    time.sleep(0.5)
    for number, _ in enumerate(worker.messages(), 2):  # the first was a step
        if number == watch._BATCH:
            time.sleep(1.2)  # as a standard output does that nobody reads
    assert worker.verdict() is None


def test_pulses_alone_keep_a_worker_alive(start: Start) -> None:
    worker = start(CLASSIFYING + "for n in range(1000): channel.send(Pulse(FrameCounts(n, 2, 1))); time.sleep(0.1)\n")
    assert wait_until(lambda: list(worker.messages()) and worker.pulse.frames.captured)
    ends_s = time.monotonic() + 1.5  # longer than silence may last
    while time.monotonic() < ends_s:
        assert {type(message) for message in heard(worker)} <= {Pulse}
        assert worker.verdict() is None
        time.sleep(0.02)
    assert (worker.pulse.frames.dropped, worker.pulse.frames.repeated) == (2, 1)


def test_its_counts_outlive_a_camera_that_is_opened_again(start: Start) -> None:
    worker = start("channel.send(Pulse(FrameCounts(9, 2, 1), 0.4))\n" + CLASSIFYING + SLEEP)
    assert wait_until(lambda: list(worker.messages()) or worker.step.name == "classifying")
    assert (worker.pulse.frames, worker.pulse.inferring_s) == (FrameCounts(9, 2, 1), 0.0)


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("os.abort()", "died of SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "died of SIGKILL (out of memory?)"),
        ("os._exit(3)", "ended with status 3"),
    ],
)
def test_an_end_without_a_word_is_a_crash_of_what_it_was_at(start: Start, code: str, how: str) -> None:
    worker = start("channel.send(Step('opening the engine', 'engine', 30.0))\n" + code)
    assert judge(worker)[0] == Fault("crash", "engine", f"the worker {how} while opening the engine", 69)
    assert not exists(worker.child.pid)


def test_a_worker_that_hung_up_but_lives_on_is_a_crash(start: Start) -> None:
    worker = start("channel.close()\n" + SLEEP)
    assert judge(worker)[0] == Fault("crash", "worker", "the worker hung up while starting", 69)


def test_its_last_words_are_believed_and_its_trace_is_logged(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    worker = start("channel.send(Failed('camera', 'unplugged', 69, 'Traceback: line 7'))")
    assert judge(worker)[0] == Fault("error", "camera", "unplugged", 69)
    assert "Traceback: line 7" in caplog.text


def test_an_end_is_an_end_even_after_it_hung_up(start: Start) -> None:
    worker = start("channel.send(Ended('the last picture'))")
    assert judge(worker)[0] == Ended("the last picture")
    assert worker.child.wait(5.0)
    assert list(worker.messages()) == []
    assert worker.verdict() == Ended("the last picture")


@pytest.mark.parametrize("data", [b"hello", b"\xff\xfe", b"\x92\xa5Ended\xa1\xff"])
def test_what_is_no_message_is_a_fault(start: Start, data: bytes) -> None:
    verdict, _ = judge(start(f"channel.socket.send({data!r})\n" + SLEEP))
    assert isinstance(verdict, Fault)
    assert (verdict.kind, verdict.part) == ("error", "worker")
    assert "no message" in verdict.why


def test_results_and_troubles_are_handed_on_before_the_end(start: Start) -> None:
    code = """
channel.send(Step("loading", "worker", 30.0))
channel.send(Started("abc", "birds", 5, "litert", "synthetic", True, "none", None))
channel.send(Trouble("unplugged", 69))
channel.send(Ended("the end"))
"""
    verdict, said = judge(start(code))
    assert [type(message) for message in said] == [Started, Trouble]
    assert verdict == Ended("the end")


def test_it_hears_what_it_is_told(start: Start) -> None:
    worker = start("channel.send(Ended(repr([begin.settings.camera.source, begin.device, wait(), wait()])))")
    worker.pace(2.5)
    worker.stop()
    assert judge(worker)[0] == Ended(f"['synthetic', 'cpu', {SetPace(2.5)!r}, Stop()]")


def test_telling_a_dead_one_is_no_error(start: Start) -> None:
    worker = start("os._exit(0)")
    judge(worker)
    worker.pace(1.0)
    worker.stop()


class TestEnd:
    def test_one_that_ends_by_itself_is_given_the_time(self, start: Start) -> None:
        worker = start("time.sleep(0.3); sys.exit(4)")
        assert worker.end(patience_s=10.0)
        assert worker.child.exit_status() == 4

    @pytest.mark.parametrize("code", [SLEEP, "os.kill(os.getpid(), signal.SIGSTOP)"], ids=["asleep", "stopped"])
    def test_one_that_does_not_is_killed_and_no_zombie(self, start: Start, code: str) -> None:
        worker = start(code)
        time.sleep(0.3)
        assert worker.end(patience_s=0.1)
        assert worker.child.exit_status() == -signal.SIGKILL
        assert not exists(worker.child.pid)
        with pytest.raises(OSError, match="Bad file"):
            worker.channel.socket.send(b"")

    def test_what_it_said_last_is_still_relayed(self, start: Start) -> None:
        worker = start("print('ERROR assertion failed in driver.c', file=sys.stderr); os._exit(1)")
        assert worker.child.wait(10.0)
        worker.end()
        assert list(worker.child.tail) == ["ERROR assertion failed in driver.c"]

    def test_a_helper_that_it_left_behind_ends_too(self, start: Start) -> None:
        """Such as libcamera's for the image's algorithms, which holds the camera and our pipe."""
        worker = start("helper = os.fork() or time.sleep(60)\nprint(helper, file=sys.stderr, flush=True)\nos._exit(1)")
        assert worker.child.wait(10.0)
        began_s = time.monotonic()
        assert worker.end()
        assert time.monotonic() - began_s < 30.0
        assert is_gone(int(worker.child.tail[-1]))

    def test_a_helper_that_cannot_be_killed_does_not_hold_us(self, start: Start) -> None:
        worker = start("if os.fork() == 0: os.setsid(); time.sleep(60)\nos._exit(1)")
        assert worker.child.wait(10.0)
        began_s = time.monotonic()
        assert worker.end()
        assert time.monotonic() - began_s < 30.0


# --- files beside its messages ---

PICTURED = """
from edge.events.records import Sample
file = os.memfd_create('a-picture'); os.write(file, b'JPEG')
for number in range(3):
    sample = Sample(
        captured_mono_s=number, label='owl', score=0.5, top=(), reasons=('random',), width=1, height=1
    )
    channel.send(Sampled(sample), [file])
"""


def open_pictures() -> int:
    """How many of the worker's files are open in this process."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            count += "memfd:a-picture" in str(link.readlink())
    return count


def test_files_that_nobody_takes_are_closed(start: Start) -> None:
    worker = start(PICTURED + "channel.send(Ended('the end'))")
    assert [type(message) for message in judge(worker)[1]] == [Sampled] * 3
    assert open_pictures() == 0


def test_a_file_that_is_taken_stays_open(start: Start) -> None:
    worker = start(PICTURED + SLEEP)
    taken: list[int] = []
    assert wait_until(lambda: [taken.append(files.pop()) for _, files in worker.messages()] and len(taken) == 3)
    assert [os.pread(file, 9, 0) for file in taken] == [b"JPEG"] * 3
    for file in taken:
        os.close(file)


def test_the_files_of_a_message_whose_handling_fails_are_closed(start: Start) -> None:
    worker = start(PICTURED + SLEEP)
    assert wait_until(lambda: select.select([worker.channel], [], [], 0)[0])
    with pytest.raises(OverflowError):
        for _ in worker.messages():
            raise OverflowError
    assert open_pictures() == 0

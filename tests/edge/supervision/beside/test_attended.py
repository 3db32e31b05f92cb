"""A process beside the worker: started, judged, started again, and never waited for."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from recorders import PREFACE, drive, noted, pids, starting
from scripted import exists, is_gone, wait_until

from edge.config.settings import Settings
from edge.processes.child import Child
from edge.processes.listener import Listener
from edge.processes.recorder_messages import (
    RecorderBeat,
    RecorderBegin,
    RecorderFailed,
    RecorderPulse,
    recorder_pair,
)
from edge.supervision.beside import attended
from edge.supervision.beside.attended import Attended
from edge.supervision.beside.kinds import Kind
from edge.supervision.beside.starting import StartHelper

pytestmark = pytest.mark.process

KIND = Kind("recorder", recorder_pair, RecorderFailed, starting_s=30.0, silence_s=30.0)
BEGIN = RecorderBegin(Settings(bundle="none"), "pi", "boot")


class Attending:
    """One such process, and the loop around it."""

    def __init__(self, kind: Kind, start: StartHelper) -> None:
        self.listener = Listener()
        self.heard: list[object] = []
        self.begun = 0
        self.process = Attended(kind, start, BEGIN, self.listener, self._hear)

    def _hear(self) -> None:
        self.heard += self.process.messages()

    def tick(self, now: float) -> None:
        self.begun += self.process.tick(now)

    def drive(self, until: Callable[[], object], seconds: float = 30.0) -> bool:
        return drive(self.listener, self.tick, until, seconds)

    def close(self) -> None:
        self.process.close(0.0)
        self.listener.close()


Attend = Callable[..., Attending]


@pytest.fixture
def attend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attend]:
    """Attend to a process that runs the given code. Pauses are short."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(attended, "_PAUSES_S", (0.05, 0.1, 0.3))
    all_of_them: list[Attending] = []

    def begin(code: str, kind: Kind = KIND, start: StartHelper | None = None) -> Attending:
        (tmp_path / "a_recorder.py").write_text(PREFACE + code)
        all_of_them.append(Attending(kind, start or starting("a_recorder")))
        return all_of_them[-1]

    yield begin
    for one in all_of_them:
        one.close()


def test_it_gets_its_first_message_and_is_heard(attend: Attend, tmp_path: Path) -> None:
    one = attend("note(type(receive()).__name__); pulse(); time.sleep(60)")
    assert one.drive(lambda: one.heard)
    assert isinstance(one.heard[0], RecorderPulse)
    assert noted(tmp_path) == ["RecorderBegin"]
    assert (one.process.fault, one.begun, one.process.is_alive) == (None, 1, True)


def test_one_that_dies_at_once_is_started_again_with_growing_pauses(
    attend: Attend, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = attend("os.write(2, b'sqlite: no such column'); os._exit(3)")
    assert one.drive(lambda: one.begun == 5)
    assert "the recorder ended with status 3" in (one.process.fault or "")
    assert caplog.text.count("(last words: sqlite: no such column)") == 1, "the same again is of no news"
    assert all(not exists(pid) for pid in pids(tmp_path)[:-1])


def test_pauses_grow_and_then_stay(attend: Attend, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Child:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(attended, "_PAUSES_S", (1.0, 2.0, 5.0, 10.0, 30.0))
    one, tried = attend("", start=refuse), []
    for second in range(120):
        before = one.process._ends
        one.tick(float(second))
        if one.process._ends > before:
            tried.append(second)
    assert tried == [0, 1, 3, 8, 18, 48, 78, 108]
    assert "Cannot allocate memory" in (one.process.fault or "")


def test_while_something_waits_no_pause_is_long(attend: Attend, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Child:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(attended, "_PAUSES_S", (1.0, 2.0, 5.0, 10.0, 30.0))
    one, tried = attend("", start=refuse), []
    for second in range(20):
        before = one.process._ends
        one.process.be_back_within(5.0)
        one.tick(float(second))
        if one.process._ends > before:
            tried.append(second)
    assert tried == [0, 1, 3, 8, 13, 18]


def test_after_one_that_did_its_work_pauses_are_short_again(attend: Attend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attended, "_PAUSES_S", (0.0, 600.0))
    one = attend("pulse(); time.sleep(0.2); os.abort()")
    for life in range(1, 4):
        assert one.drive(lambda life=life: one.begun == life and len(one.heard) == life)
        one.process.works()
    assert one.drive(lambda: one.begun == 4)


def test_that_it_is_back_is_logged(attend: Attend, caplog: pytest.LogCaptureFixture) -> None:
    one = attend("if not life: os.abort()\npulse(); time.sleep(60)")
    with caplog.at_level(logging.WARNING):
        assert one.drive(lambda: one.heard)
    assert one.process.fault is None
    assert [record.message for record in caplog.records] == [
        "the recorder died of SIGABRT; starting another in 0.05 s",
        "the recorder is back",
    ]


def test_what_a_person_must_mend_is_tried_seldom(attend: Attend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attended, "_HOPELESS_PAUSE_S", 2.0)
    one = attend("line.send(RecorderFailed('birds.db: of a newer version', 65)); sys.exit(65)")
    began_s = time.monotonic()
    assert one.drive(lambda: one.begun == 2)
    assert time.monotonic() - began_s > 2.0
    assert one.process.fault == "birds.db: of a newer version"


def test_one_that_never_speaks_is_killed(attend: Attend, tmp_path: Path) -> None:
    one = attend("time.sleep(60)", replace(KIND, starting_s=1.0))
    assert one.drive(lambda: one.begun == 2)
    assert one.process.fault == "the recorder sent nothing for 1 s"
    assert is_gone(pids(tmp_path)[0])


def test_one_that_falls_silent_is_killed(attend: Attend, tmp_path: Path) -> None:
    one = attend("pulse(); os.kill(os.getpid(), signal.SIGSTOP)", replace(KIND, silence_s=1.0))
    assert one.drive(lambda: one.begun == 2)
    assert one.heard
    assert is_gone(pids(tmp_path)[0])


BEATS = replace(KIND, beat=RecorderBeat, hung_s=1.0)


def test_one_whose_beat_stays_away_hangs_whatever_it_may_wait_for(attend: Attend, tmp_path: Path) -> None:
    one = attend("line.send(RecorderBeat()); os.kill(os.getpid(), signal.SIGSTOP)", BEATS)
    assert one.drive(lambda: one.begun == 2)
    assert one.process.fault == "the recorder hung: no sign of life for 1 s"
    assert is_gone(pids(tmp_path)[0])


def test_one_whose_work_is_held_up_does_not_hang(attend: Attend) -> None:
    """As in an fsync that takes a minute: the silence of its work is judged by another limit."""
    one = attend("pulse()\nwhile True: line.send(RecorderBeat()); time.sleep(0.2)", BEATS)
    assert one.drive(lambda: one.heard)
    assert not one.drive(lambda: one.begun == 2, seconds=2.0)
    assert one.process.is_alive
    assert len(one.heard) == 1, "a beat is no message"


def test_a_beat_does_not_stand_for_work(attend: Attend) -> None:
    one = attend("while True: line.send(RecorderBeat()); time.sleep(0.2)", replace(BEATS, starting_s=1.0))
    assert one.drive(lambda: one.begun == 2)
    assert one.process.fault == "the recorder sent nothing for 1 s"


def test_it_is_not_blamed_for_the_time_that_we_were_held_up(attend: Attend) -> None:
    one = attend("pulse(); time.sleep(60)", replace(KIND, silence_s=1.0))
    assert one.drive(lambda: one.heard)
    time.sleep(1.2)
    one.process.excuse(1.2)
    one.tick(time.monotonic())
    assert one.process.is_alive


@pytest.mark.parametrize("code", ["line.socket.send(b'\\xc1')", "line.socket.send(b'\\x90' * 9000)"])
def test_what_is_no_message_is_a_fault(attend: Attend, code: str) -> None:
    one = attend(f"{code}; time.sleep(60)")
    assert one.drive(lambda: one.process.fault)
    assert "sent what is no message" in (one.process.fault or "")


def test_one_that_hangs_up_and_lives_on_is_killed(attend: Attend, tmp_path: Path) -> None:
    one = attend("line.close(); time.sleep(60)")
    assert one.drive(lambda: one.process.fault)
    assert one.process.fault == "the recorder hung up"
    assert is_gone(pids(tmp_path)[0])


class Unkillable(Child):
    """A process that hangs in the kernel, as far as can be seen from outside."""

    killed = False

    def kill(self) -> None:
        self.killed = True

    def exit_status(self) -> int | None:
        return None


def test_one_that_cannot_be_killed_is_left_and_there_are_two_at_most(
    attend: Attend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attended, "_DIE_S", 0.2)
    started: list[Unkillable] = []

    def start(words: Sequence[str], *, pass_fds: Sequence[int]) -> Child:
        started.append(Unkillable("a_recorder", words, pass_fds=pass_fds))
        return started[-1]

    one = attend("os.kill(os.getpid(), signal.SIGSTOP)", replace(KIND, starting_s=0.5), start)
    try:
        assert one.drive(lambda: "only a reboot helps" in (one.process.fault or ""))
        time.sleep(0.5)
        one.tick(time.monotonic())
        assert (len(started), [child.killed for child in started]) == (2, [True, True])
        assert one.process.fault == "2 processes of the recorder cannot be killed: only a reboot helps"
    finally:
        for child in started:
            os.kill(child.pid, signal.SIGKILL)


def test_one_that_hung_and_died_at_last_makes_room(attend: Attend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Unkillable, "exit_status", Child.exit_status)
    one = attend(
        "if life < 3: os.kill(os.getpid(), signal.SIGSTOP)\npulse(); time.sleep(60)",
        replace(KIND, starting_s=0.5),
        lambda words, *, pass_fds: Unkillable("a_recorder", words, pass_fds=pass_fds),
    )
    monkeypatch.setattr(attended, "_DIE_S", 0.1)
    assert one.drive(lambda: "only a reboot helps" in (one.process.fault or ""))
    for child, _ in one.process._dying:
        os.kill(child.pid, signal.SIGKILL)
    assert one.drive(lambda: one.begun > 2)


def test_no_tick_waits(attend: Attend) -> None:
    """Whatever the process does, the loop goes on."""
    one = attend("if life % 2: os.kill(os.getpid(), signal.SIGSTOP)\nos.abort()", replace(KIND, starting_s=0.3))
    lasted_s: list[float] = []

    def tick(now: float) -> None:
        one.tick(now)
        lasted_s.append(time.monotonic() - now)

    assert drive(one.listener, tick, lambda: one.begun == 6)
    # Starting a process takes some 10 ms. A busy machine may hold one tick up; waiting would hold up all six.
    assert sorted(lasted_s)[-3] < 0.25


@pytest.mark.parametrize("kill", [True, False])
def test_at_the_end_it_is_killed_or_left_to_itself(attend: Attend, tmp_path: Path, kill: bool) -> None:
    one = attend("pulse(); receive(); note('begin')\nreceive()")
    assert one.drive(lambda: "begin" in noted(tmp_path))
    (pid,) = pids(tmp_path)
    one.process.close(0.0, kill=kill)
    assert wait_until(lambda: not exists(pid) or is_gone(pid, 0.0))
    assert kill or noted(tmp_path) == ["begin", "hung up"]


def test_what_it_prints_is_in_the_log_under_its_name(attend: Attend, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    one = attend("print('a library', file=sys.stderr, flush=True); pulse(); time.sleep(60)")
    assert one.drive(lambda: "recorder: a library" in caplog.text)

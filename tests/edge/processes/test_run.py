"""A process that is run to completion: within its time, within its bytes, and whatever it leaves behind."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from scripted import is_gone, wait_until

from edge.portable.pipes import SelectedPipes, ThreadedPipes
from edge.processes.process import Command, Process, module_command
from edge.processes.run import Finished, run

LEAVE_A_CHILD = "import subprocess; child = subprocess.Popen(['sleep', '60']); print(child.pid, flush=True)"


@pytest.fixture(autouse=True, params=[SelectedPipes, ThreadedPipes])
def pipes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it holds in both ways to wait for pipes; the second one is Windows'."""
    monkeypatch.setattr("edge.processes.run.open_pipes", request.param)


def python(code: str) -> Command:
    return Command([sys.executable, "-c", f"import os, signal, sys, time\n{code}"])


def test_what_it_printed_and_how_it_ended() -> None:
    finished = run(python("print('out'); print('err', file=sys.stderr); sys.exit(3)"), 30.0)
    assert finished == Finished(3, b"out\n", b"err\n", None)


def test_under_systemd_its_lines_have_no_priorities_as_the_journal_never_sees_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page once began the words about a pulled stick with <3>."""
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    finished = run(module_command("edge", ["bundle", "show", "/none/birds"]), 30.0)
    assert finished.status == 66
    assert finished.errors.startswith(b"fieldfare: ")


def test_merged_its_errors_are_in_the_output() -> None:
    code = "print('out', flush=True); print('err', file=sys.stderr, flush=True); print('out')"
    assert run(python(code), 30.0, merged=True) == Finished(0, b"out\nerr\nout\n", b"", None)


def test_a_signal_is_a_negative_status() -> None:
    assert run(python("os.abort()"), 30.0) == Finished(-signal.SIGABRT, b"", b"", None)


def test_it_reads_what_it_is_given_however_much_that_is() -> None:
    given = bytes(range(256)) * 4096
    finished = run(python("sys.stdout.buffer.write(sys.stdin.buffer.read())"), 30.0, given=given)
    assert finished.output == given


def test_given_nothing_it_reads_nothing() -> None:
    assert run(python("print(len(sys.stdin.read()))"), 30.0).output == b"0\n"


@pytest.mark.parametrize("code", ["sys.exit(4)", "os.close(0); time.sleep(0.2); sys.exit(4)"])
def test_one_that_does_not_read_what_it_is_given_is_no_error(code: str) -> None:
    assert run(python(code), 30.0, given=bytes(1 << 20)).status == 4


def test_one_that_closes_its_output_is_waited_for() -> None:
    assert run(python("os.close(1); os.close(2); time.sleep(0.3); os._exit(5)"), 30.0).status == 5


def test_a_program_that_is_not_there_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        run(Command(["/nowhere/program"]), 1.0)


@pytest.mark.parametrize(
    "code",
    ["time.sleep(60)", "os.close(1); os.close(2); time.sleep(60)", "os.kill(os.getpid(), signal.SIGSTOP)"],
    ids=["sleeping", "silent", "stopped"],
)
def test_after_its_time_it_is_killed(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.processes.run._REAP_S", 30.0)
    began_s = time.monotonic()
    finished = run(python(code), 0.5)
    assert (finished.killed_for, finished.gone) == ("time", True)
    assert time.monotonic() - began_s < 30.0


def test_what_it_printed_before_it_was_killed_is_kept() -> None:
    assert run(Command(["sh", "-c", "echo ready; sleep 60"]), 1.0).output == b"ready\n"


def test_its_children_are_killed_with_it() -> None:
    finished = run(Command(["sh", "-c", "sleep 60 & echo $!; wait"]), 1.0)
    assert finished.killed_for == "time"
    assert is_gone(int(finished.output))


@pytest.mark.parametrize("file", [1, 2])
def test_output_beyond_its_limit_ends_it(file: int) -> None:
    code = f"while True: os.write({file}, bytes(65536))"
    finished = run(python(code), 60.0, max_output=1 << 20, max_errors=1 << 20)
    assert finished.killed_for == "output"
    assert finished.status == -signal.SIGKILL
    assert len(finished.output) + len(finished.errors) <= (1 << 20) + (1 << 16)


def test_output_up_to_its_limit_is_allowed() -> None:
    finished = run(python("os.write(1, bytes(1000))"), 30.0, max_output=1000)
    assert (finished.killed_for, len(finished.output)) == (None, 1000)
    assert run(python("os.write(1, bytes(1001))"), 30.0, max_output=1000).killed_for == "output"


class TestLeftovers:
    """A process that it leaves behind may keep its output open for ever."""

    def test_they_do_not_hold_us_up_and_are_killed(self) -> None:
        began_s = time.monotonic()
        finished = run(python(LEAVE_A_CHILD), 60.0)
        assert (finished.status, finished.killed_for) == (0, None)
        assert time.monotonic() - began_s < 30.0
        assert is_gone(int(finished.output))

    def test_they_are_listened_to_for_as_long_as_the_caller_wants(self) -> None:
        code = "if os.fork() == 0: time.sleep(0.5); print('late', flush=True)"
        assert run(python(code), 60.0, linger_s=30.0).output == b"late\n"
        assert run(python(code.replace("0.5", "20")), 60.0).output == b""

    def test_one_that_left_the_group_is_not_waited_for(self) -> None:
        code = (
            "import subprocess\nchild = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
            "print(child.pid, flush=True)"
        )
        began_s = time.monotonic()
        finished = run(python(code), 60.0, linger_s=0.2)
        os.kill(int(finished.output), signal.SIGKILL)
        assert (finished.status, finished.killed_for) == (0, None)
        assert time.monotonic() - began_s < 30.0

    def test_one_that_prints_without_end_meets_the_limit(self) -> None:
        finished = run(python("if os.fork() == 0:\n while True: os.write(1, bytes(4096))"), 60.0, max_output=1 << 20)
        assert len(finished.output) <= (1 << 20) + (1 << 16)


def test_it_can_be_cancelled_from_another_thread(tmp_path: Path) -> None:
    started, cancelled, found = tmp_path / "started", threading.Event(), list[Finished]()
    command = python(f"open({str(started)!r}, 'w').close(); time.sleep(60)")
    thread = threading.Thread(target=lambda: found.append(run(command, 60.0, cancelled=cancelled)))
    thread.start()
    assert wait_until(started.exists)
    cancelled.set()
    thread.join(30.0)
    assert [finished.killed_for for finished in found] == ["cancelled"]


def test_an_exception_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ctrl-C does."""
    pids: list[int] = []

    def interrupt(process: Process) -> int | None:
        pids.append(process.pid)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("edge.processes.run._Dialogue._move", lambda self, _: interrupt(self._process))
        run(python("time.sleep(60)"), 60.0)
    assert is_gone(pids[0])


def test_one_that_sigkill_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "killpg", lambda pid, number: None)
        patch.setattr("edge.processes.run._REAP_S", 0.2)
        began_s = time.monotonic()
        finished = run(Command(["sh", "-c", "echo $$; exec sleep 60"]), 1.0)
        assert time.monotonic() - began_s < 30.0
    assert (finished.killed_for, finished.gone) == ("time", False)
    os.kill(int(finished.output), signal.SIGKILL)

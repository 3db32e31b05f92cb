"""How every process is started, how it is killed with all that it started, and what its end is called."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripted import exists, is_gone

import edge
from edge.processes import process as processes
from edge.processes.process import DEVNULL, PIPE, Command, Process, describe_exit, last_line, module_command

ROOT = str(Path(edge.__file__).resolve().parents[1])
Start = Callable[..., Process]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start Python code as a process; what is left of it after the test is killed."""
    started: list[Process] = []

    def begin(code: str, *words: str, stdin: int = DEVNULL) -> Process:
        command = Command([sys.executable, "-c", f"import os, signal, sys, time\n{code}", *words])
        started.append(Process(command, stdin=stdin, stdout=PIPE, stderr=PIPE))
        return started[-1]

    yield begin
    for process in started:
        process.end(10.0)


def output_of(command: Command) -> str:
    process = Process(command, stdout=PIPE)
    try:
        return process.stdout.read().decode()
    finally:
        assert process.end(10.0)


class TestSearchPath:
    """Which modules a process of ours imports."""

    @pytest.fixture
    def seen(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], list[str]]:
        """The search path of a module of ours, for a PYTHONPATH of the user's."""
        folder = tmp_path / "modules"
        folder.mkdir()
        (folder / "a_module.py").write_text("import sys\nprint(*sys.path, sep='\\n')")
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")

        def look(users: str | None) -> list[str]:
            if users is None:
                monkeypatch.delenv("PYTHONPATH", raising=False)
                return module_command("a_module").variables["PYTHONPATH"].split(os.pathsep)
            monkeypatch.setenv("PYTHONPATH", users.replace("MODULES", str(folder)))
            return output_of(module_command("a_module")).splitlines()

        return look

    def test_our_root_comes_first_and_the_users_own_path_follows(
        self, seen: Callable[[str | None], list[str]], tmp_path: Path
    ) -> None:
        assert seen("MODULES:/elsewhere")[:3] == [ROOT, str(tmp_path / "modules"), "/elsewhere"]

    def test_our_root_is_there_once(self, seen: Callable[[str | None], list[str]], tmp_path: Path) -> None:
        found = seen(f"MODULES:{ROOT}:/elsewhere")
        assert found[:3] == [ROOT, str(tmp_path / "modules"), "/elsewhere"]
        assert found[3:].count(ROOT) <= 1, "an editable installation may name it, too"

    def test_without_one_of_the_user_it_is_our_root(self, seen: Callable[[str | None], list[str]]) -> None:
        assert seen(None) == [ROOT]

    @pytest.mark.parametrize("users", ["MODULES", "MODULES:", ":MODULES", "MODULES::/elsewhere"])
    def test_the_current_folder_is_not_in_it(
        self, seen: Callable[[str | None], list[str]], tmp_path: Path, users: str
    ) -> None:
        """Python takes an empty entry for the current folder."""
        assert not {"", ".", str(tmp_path / "here")} & set(seen(users))

    def test_a_file_in_the_current_folder_does_not_replace_a_module(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("edge", "json"):
            (tmp_path / f"{name}.py").write_text("raise SystemExit(9)")
        monkeypatch.chdir(tmp_path)
        process = Process(module_command("json.tool", ["--help"]))
        assert process.wait(30.0)
        assert process.exit_status() == 0

    def test_a_foreign_program_keeps_the_users_path(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Our root can be site-packages, which a script for another Python must not see."""
        monkeypatch.setenv("PYTHONPATH", "/elsewhere")
        assert output_of(Command(["sh", "-c", "echo $PYTHONPATH"])) == "/elsewhere\n"


def test_variables_come_on_top_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_USERS", "1")
    monkeypatch.setenv("A_THREADS", "8")
    command = Command(["sh", "-c", "echo $A_USERS $A_THREADS"], {"A_THREADS": "1"})
    assert output_of(command) == "1 1\n"
    assert module_command("a_module", ["word"], {"A_THREADS": "1"}).variables["A_THREADS"] == "1"


def test_what_cannot_be_started_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        Process(Command(["/nowhere/program"]))


def test_it_leads_a_session_of_its_own(start: Start) -> None:
    """So that Ctrl-C in a terminal reaches us only."""
    process = start("time.sleep(60)")
    assert os.getsid(process.pid) == os.getpgid(process.pid) == process.pid


def test_without_a_pipe_it_reads_nothing_and_its_output_is_gone() -> None:
    process = Process(Command([sys.executable, "-c", "import sys; print('lost'); sys.exit(len(sys.stdin.read()))"]))
    assert process.wait(30.0)
    assert process.exit_status() == 0


class TestKill:
    """Whatever a process does, it ends, with everything that it started."""

    @pytest.mark.parametrize(
        "code",
        [
            "print('ready', flush=True); time.sleep(60)",
            "print('ready', flush=True); os.kill(os.getpid(), signal.SIGSTOP)",
            "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)",
        ],
        ids=["sleeping", "stopped", "deaf"],
    )
    def test_it_is_reaped_and_its_pipes_are_closed(self, start: Start, code: str) -> None:
        process = start(code, stdin=PIPE)
        assert process.stdout.readline() == b"ready\n"
        assert process.end(30.0)
        assert process.exit_status() == -signal.SIGKILL
        assert not exists(process.pid)
        assert process.stdin.closed
        assert process.stdout.closed
        assert process.stderr.closed
        assert process.end(0.0), "once more does no harm"

    def test_its_children_end_with_it(self, start: Start) -> None:
        process = start("pid = os.fork()\nif pid: print(pid, flush=True)\ntime.sleep(60)")
        grandchild = int(process.stdout.readline())
        assert process.end(30.0)
        assert is_gone(grandchild)

    def test_its_children_end_even_if_it_has_ended_before(self, start: Start) -> None:
        process = start("pid = os.fork()\nif pid: print(pid, flush=True)\nelse: time.sleep(60)")
        grandchild = int(process.stdout.readline())
        assert process.wait(30.0)
        process.kill()
        assert is_gone(grandchild)
        assert process.exit_status() == 0

    def test_after_its_end_its_group_is_killed_once(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        """The number of a group that has ended can be given to another."""
        process = start("")
        assert process.wait(30.0)
        process.kill()
        killed: list[int] = []
        monkeypatch.setattr(os, "killpg", lambda pid, number: killed.append(pid))
        process.kill()
        assert killed == []

    def test_waiting_has_an_end(self, start: Start) -> None:
        process = start("time.sleep(60)")
        began_s = time.monotonic()
        assert not process.wait(0.05)
        assert time.monotonic() - began_s < 30.0
        assert process.exit_status() is None

    def test_one_that_sigkill_does_not_end_is_left_and_reaped_when_it_ends(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As in a driver or on a dead disk, where SIGKILL waits."""
        stuck = start("sys.stdin.read()", stdin=PIPE)
        with monkeypatch.context() as patch:
            patch.setattr(os, "killpg", lambda pid, number: None)
            held = os.dup(stuck.stdin.fileno())
            began_s = time.monotonic()
            assert not stuck.end(0.1)
            assert time.monotonic() - began_s < 30.0
        assert exists(stuck.pid)
        os.close(held)  # now the driver lets go
        assert is_gone(stuck.pid)
        assert exists(stuck.pid), "a zombie"
        start("")
        assert not exists(stuck.pid)
        assert stuck.exit_status() == 0
        assert processes._abandoned == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "ended with status 0"),
        (69, "ended with status 69"),
        (-signal.SIGSEGV, "died of SIGSEGV"),
        (-signal.SIGKILL, "died of SIGKILL (out of memory?)"),
        (-signal.SIGILL, "died of SIGILL (an illegal instruction: a library built for another processor)"),
        (-99, "died of signal 99"),
    ],
)
def test_how_it_ended_in_words(status: int, words: str) -> None:
    assert describe_exit(status) == words


@pytest.mark.parametrize(
    ("status", "printed", "words"),
    [
        (1, b"Traceback:\n  a line\nImportError: no NumPy\n", "ended with status 1: ImportError: no NumPy"),
        (1, b" \n", "ended with status 1 and printed nothing"),
        (-signal.SIGABRT, b"usb transfer failed\n", "died of SIGABRT: usb transfer failed"),
        (-signal.SIGABRT, b"", "died of SIGABRT"),
    ],
)
def test_how_it_ended_with_its_last_line(status: int, printed: bytes, words: str) -> None:
    assert describe_exit(status, printed) == words


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        (b"", ""),
        (b"a\n\n b \n\n", "b"),
        (b"10 %\r20 %\r", "20 %"),
        (b"x" * 400, "x" * 300),
        ("\N{SNOWMAN}".encode() * 400, "\N{SNOWMAN}" * 300),
        (b"\xff went wrong", "\N{REPLACEMENT CHARACTER} went wrong"),
    ],
)
def test_the_last_line(printed: bytes, line: str) -> None:
    assert last_line(printed) == line

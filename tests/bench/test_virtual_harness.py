"""What drives the virtual device, without one: qemu's and the guest's side are played here."""

import importlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from bench_runs import ROOT

Serve = Callable[[Callable[[Any], None]], Path]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a module of the test bench."""
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "testbench"))
    return importlib.import_module


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serves one connection on a socket with a function that gets it as a file; returns the socket's path."""
    threads, listener = [], socket.socket(socket.AF_UNIX)

    def start(play: Callable[[Any], None]) -> Path:
        listener.bind(str(tmp_path / "socket"))
        listener.listen(1)

        def answer() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb") as file:
                play(file)

        threads.append(threading.Thread(target=answer))
        threads[0].start()
        return tmp_path / "socket"

    yield start
    for thread in threads:
        thread.join(10)
    listener.close()


def send(file: Any, *lines: object) -> None:
    for line in lines:
        file.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
    file.flush()


class TestAgent:
    def test_a_script_is_answered_by_its_own_answer(self, module: Callable[[str], ModuleType], serve: Serve) -> None:
        """Not by one that was late, and not by what a reset has torn."""

        def play(file: Any) -> None:
            request = json.loads(file.readline())
            late = {"number": request["number"] - 1, "status": 1, "output": "late", "errors": "", "uptime_s": 8.0}
            right = {**late, "number": request["number"], "status": 0, "output": request["script"], "uptime_s": 9.0}
            send(file, late, b'{"number": 1, "sta', b"", right)

        agent = module("virtual.agent").Agent(serve(play))
        answer = agent.run("echo hello", 5)
        assert (answer.output, answer.uptime_s) == ("echo hello", 9.0)
        agent.close()

    def test_a_machine_that_starts_anew_meanwhile_is_a_failure(
        self, module: Callable[[str], ModuleType], serve: Serve
    ) -> None:
        def play(file: Any) -> None:
            file.readline()
            send(file, {"ready": "another boot"})

        agent = module("virtual.agent").Agent(serve(play))
        with pytest.raises(Exception, match="started anew while it ran: sleep 5"):
            agent.run("sleep 5", 5)
        agent.close()

    def test_a_boot_is_another_one_than_the_last(self, module: Callable[[str], ModuleType], serve: Serve) -> None:
        agent = module("virtual.agent").Agent(serve(lambda file: send(file, {"ready": "one"}, {"ready": "two"})))
        assert agent.wait_for_boot("one", time.monotonic() + 5) == "two"
        agent.close()

    def test_no_boot_in_time(self, module: Callable[[str], ModuleType], serve: Serve) -> None:
        silence = threading.Event()
        agent = module("virtual.agent").Agent(serve(lambda file: silence.wait(10) and None))
        with pytest.raises(TimeoutError):
            agent.wait_for_boot("", time.monotonic() + 0.05)
        silence.set()
        agent.close()


class TestQmp:
    def test_events_between_the_answers_are_passed_over(
        self, module: Callable[[str], ModuleType], serve: Serve
    ) -> None:
        def play(file: Any) -> None:
            send(file, {"QMP": {}})
            file.readline()
            send(file, {"return": {}})
            file.readline()
            send(file, {"event": "RESET"}, {"return": "done"})

        qmp = module("virtual.qmp").Qmp(serve(play))
        assert qmp.do("system_reset") == "done"
        qmp.close()

    def test_what_qemu_refuses_is_a_failure(self, module: Callable[[str], ModuleType], serve: Serve) -> None:
        def play(file: Any) -> None:
            send(file, {"QMP": {}})
            file.readline()
            send(file, {"return": {}})
            file.readline()
            send(file, {"error": {"desc": "no such device"}})

        qmp = module("virtual.qmp").Qmp(serve(play))
        with pytest.raises(Exception, match="qemu refused device_del: no such device"):
            qmp.do("device_del", id="stick")
        qmp.close()


class TestSteps:
    def test_each_is_reported_and_one_that_fails_ends_not_the_run(
        self, module: Callable[[str], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        steps, host = module("virtual.steps"), module("host")

        def fails(_: object) -> None:
            raise host.Failed("the worker stayed away")

        todo = [steps.Todo("first", fails), steps.Todo("second", lambda say: say("0 lost"))]
        assert not steps.run(todo, tmp_path / "report.json")
        report = json.loads((tmp_path / "report.json").read_text())
        assert [(step["name"], step["said"], step["failed"]) for step in report] == [
            ("first", [], "the worker stayed away"),
            ("second", ["0 lost"], ""),
        ]
        assert "FAILED: first" in capsys.readouterr().out

    def test_what_others_need_ends_the_run(
        self, module: Callable[[str], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        steps, host = module("virtual.steps"), module("host")

        def fails(_: object) -> None:
            raise host.Failed("no boot")

        todo = [steps.Todo("boot", fails, needed=True), steps.Todo("install", lambda say: say("in vain"))]
        assert not steps.run(todo, tmp_path / "report.json")
        assert [step["name"] for step in json.loads((tmp_path / "report.json").read_text())] == ["boot"]
        assert "1 were not done" in capsys.readouterr().out

"""Workers that are started, and one that is started early."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted import is_gone, wait_until

from edge.config.running import Camera
from edge.config.settings import Settings
from edge.processes import worker_process
from edge.processes.messages import Begin, Failed
from edge.processes.worker_process import EarlyWorker, start_worker

pytestmark = pytest.mark.process
NO_BUNDLE = Begin(Settings(bundle="none", camera=Camera(source="synthetic")), "cpu", None, None)


@pytest.fixture
def early() -> Iterator[EarlyWorker]:
    worker = EarlyWorker()
    yield worker
    worker.close()


def test_the_worker_that_was_started_early_is_the_first_and_serves_like_any_other(
    early: EarlyWorker, tmp_path: Path
) -> None:
    channel, child = early(os.getpid())
    again, another = early(os.getpid())
    try:
        assert child.pid != another.pid
        channel.send(NO_BUNDLE)
        said: list[object] = []
        assert wait_until(lambda: said.append(channel.receive()) or isinstance(said[-1], Failed))
        assert "none" in said[-1].why  # type: ignore[attr-defined]
    finally:
        for line, process in ((channel, child), (again, another)):
            line.close()
            process.kill()
            process.wait(5)
            process.close()


def test_one_that_nobody_took_is_ended(early: EarlyWorker) -> None:
    assert early._started is not None
    pid = early._started[1].pid
    early.close()
    assert wait_until(lambda: is_gone(pid))
    early.close()


def test_one_that_was_taken_is_left_alone(early: EarlyWorker) -> None:
    channel, child = early(os.getpid())
    early.close()
    assert child.exit_status() is None
    channel.close()
    child.kill()
    child.wait(5)
    child.close()


def test_no_socket_is_left_when_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*words: object, **options: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    ends: list[socket.socket] = []
    real = socket.socketpair
    monkeypatch.setattr(socket, "socketpair", lambda *words: ends.extend(pair := real(*words)) or pair)
    monkeypatch.setattr(worker_process, "Child", refuse)
    with pytest.raises(OSError, match="allocate"):
        start_worker(os.getpid())
    assert [end.fileno() for end in ends] == [-1, -1]

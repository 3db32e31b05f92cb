"""The supervisor with real workers, which are killed and stopped."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running import Running
from scripted import exists, is_gone, wait_until

from edge.bundle.store import Bundle

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

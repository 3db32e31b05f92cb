"""Short programs beside the worker: their ends are told, and one that hangs is killed in time."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripted import exists, wait_until

from edge.processes import side_jobs
from edge.processes.side_jobs import SideJobs


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Python code as a module that a child finds."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(code: str) -> str:
        (tmp_path / "a_job.py").write_text(f"import os, signal, sys, time\nfrom pathlib import Path\n{code}\n")
        return "a_job"

    return write


@pytest.fixture
def jobs() -> Iterator[SideJobs]:
    jobs = SideJobs()
    yield jobs
    jobs.close()


def results(jobs: SideJobs, count: int = 1) -> list[tuple[str, int | None]]:
    found: list[tuple[str, int | None]] = []
    assert wait_until(lambda: found.extend(jobs.finished()) or len(found) >= count)
    return found


def test_the_end_of_a_job_is_told_once(jobs: SideJobs, module: Callable[[str], str]) -> None:
    assert jobs.start("probe", module("sys.exit(int(sys.argv[1]))"), ["69"], 20.0)
    assert jobs.runs("probe")
    assert not jobs.runs("reset")
    assert results(jobs) == [("probe", 69)]
    assert not jobs.runs("probe")
    assert jobs.finished() == []


def test_several_run_side_by_side(jobs: SideJobs, module: Callable[[str], str]) -> None:
    name = module("sys.exit(int(sys.argv[1]))")
    for what, status in (("probe", "0"), ("reset", "69")):
        jobs.start(what, name, [status], 20.0)
    assert sorted(results(jobs, 2)) == [("probe", 0), ("reset", 69)]


@pytest.mark.parametrize("code", ["time.sleep(60)", "os.kill(os.getpid(), signal.SIGSTOP)"], ids=["hung", "stopped"])
def test_one_that_takes_too_long_is_killed(
    jobs: SideJobs, module: Callable[[str], str], tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_jobs, "_DIE_S", 30.0)
    pid = tmp_path / "pid"
    jobs.start("probe", module(f"Path({str(pid)!r}).write_text(str(os.getpid())); {code}"), [], 2.5)
    assert results(jobs) == [("probe", None)]
    assert not exists(int(pid.read_text()))


def test_what_it_says_is_relayed(
    jobs: SideJobs, module: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    jobs.start("probe", module("sys.exit(os.environ['FIELDFARE_LOG_MARK'] + 'WARNING not there')"), [], 20.0)
    assert results(jobs) == [("probe", 1)]
    assert ("WARNING", "not there") in [(record.levelname, record.getMessage()) for record in caplog.records]


def test_closing_kills_what_still_runs(module: Callable[[str], str], tmp_path: Path) -> None:
    jobs, pid = SideJobs(), tmp_path / "pid"
    jobs.start("probe", module(f"Path({str(pid)!r}).write_text(str(os.getpid())); time.sleep(60)"), [], 60.0)
    assert wait_until(lambda: pid.exists() and pid.read_text())
    began_s = time.monotonic()
    jobs.close()
    assert time.monotonic() - began_s < 30.0
    assert not exists(int(pid.read_text()))
    assert not jobs.runs("probe")


def test_where_no_process_can_be_started_that_is_said(
    jobs: SideJobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*words: object, **options: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(side_jobs, "Child", refuse)
    assert not jobs.start("probe", "a_job", [], 1.0)
    assert not jobs.runs("probe")
    assert "probe: no process could be started" in caplog.text


class Unkillable:
    """A process in a driver, for which even SIGKILL waits until the test lets it go."""

    pid = 99
    status: int | None = None

    def __init__(self, *words: object, **options: object) -> None:
        self.closed = False

    def exit_status(self) -> int | None:
        return self.status

    def wait(self, seconds: float) -> bool:
        return self.status is not None

    def relay(self) -> bool:
        return True

    def kill(self) -> None: ...

    def close(self) -> None:
        self.closed = True


def test_one_that_cannot_be_killed_counts_as_running_so_that_no_others_pile_up(
    jobs: SideJobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(side_jobs, "Child", Unkillable)
    jobs.start("probe", "a_job", [], 0.0)
    for _ in range(3):
        assert jobs.finished() == []
        assert jobs.runs("probe")
    assert caplog.text.count("probe (process 99) cannot be killed: it hangs in a driver") == 1
    monkeypatch.setattr(Unkillable, "status", -9)
    assert jobs.finished() == [("probe", -9)]
    assert not jobs.runs("probe")

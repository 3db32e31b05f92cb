"""What the supervisor tells: log, status file and systemd agree."""

import logging
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.supervision.announcer import Announcer
from edge.supervision.status import Seen, Status, StatusFile, begin, read
from edge.supervision.systemd import SystemdNotifier
from edge.supervision.throughput import Tally


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "notify"))
        end.settimeout(5)
        yield end


@pytest.fixture
def status() -> Status:
    return begin()


@pytest.fixture
def announcer(systemd: socket.socket, status: Status, tmp_path: Path) -> Announcer:
    notifier = SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    return Announcer(status, Tally(), StatusFile(tmp_path / "status.json"), notifier)


def test_a_new_state_is_logged_and_stands_in_the_file_at_once(
    announcer: Announcer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    announcer.set("recovering", "no frame for 3 s")
    seen = read(tmp_path / "status.json")
    assert (seen.state, seen.why) == ("recovering", "no frame for 3 s")
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "recovering: no frame for 3 s")
    ]


def test_that_it_is_well_again_is_found_beside_what_went_wrong(
    announcer: Announcer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for state in ("running", "degraded", "running"):
        announcer.set(state, state)  # type: ignore[arg-type]
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "WARNING"]


def test_another_reason_does_not_begin_the_state_anew(announcer: Announcer, status: Status, tmp_path: Path) -> None:
    announcer.set("degraded", "no Edge TPU")
    since = status.since_mono_s
    announcer.set("degraded", "too hot")
    seen = read(tmp_path / "status.json")
    assert (seen.why, seen.since_mono_s) == ("too hot", since)


def test_the_file_is_written_every_two_seconds_anyway(announcer: Announcer, status: Status, tmp_path: Path) -> None:
    announcer.set("running", "as configured")
    written = status.updated_mono_s
    announcer.refresh(written + 1.9)
    assert status.updated_mono_s == written
    announcer.refresh(written + 2.1)
    assert read(tmp_path / "status.json").updated_mono_s == status.updated_mono_s > written


def test_what_has_ended_gives_no_frames(announcer: Announcer, status: Status) -> None:
    status.fps = 30.0
    announcer.set("stopped", "ended")
    assert status.fps == 0.0


@pytest.mark.parametrize(
    ("state", "why", "words"),
    [
        ("running", "as configured", "running, 0.0 frames/s, last owl 0.93"),
        ("recovering", "it said:\nno such\tdevice", "recovering: it said: no such device, last owl 0.93"),
    ],
)
def test_systemd_gets_one_line(
    announcer: Announcer, status: Status, systemd: socket.socket, state: str, why: str, words: str
) -> None:
    status.last = Seen("owl", 0.93, 0.0)
    announcer.set(state, why)  # type: ignore[arg-type]
    announcer.ready()
    assert systemd.recv(4096).decode().splitlines() == ["READY=1", "WATCHDOG=1", f"STATUS={words}"]


def test_with_a_gate_frames_that_were_looked_at_stand_beside_results(
    announcer: Announcer, status: Status, systemd: socket.socket
) -> None:
    status.counts.turned_away, status.looked_at_fps, status.fps = 6000, 10.0, 0.0
    status.state = "running"
    announcer.ready()
    assert systemd.recv(4096).decode().splitlines()[-1] == "STATUS=running, 10.0 frames/s looked at, 0.0 classified"


def test_a_fault_is_logged_once_until_it_is_well_again(announcer: Announcer, caplog: pytest.LogCaptureFixture) -> None:
    for why in ("unplugged", "unplugged", "frozen", "frozen"):
        announcer.fault(why)
    announcer.is_well()
    announcer.fault("frozen", "; starting another worker")
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == ["unplugged", "frozen", "frozen; starting another worker"]


@given(st.text(), st.text())
def test_nothing_in_a_label_or_a_reason_reaches_systemd_as_an_assignment(label: str, why: str) -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(f"{folder}/notify")
        end.settimeout(5)
        status = begin()
        status.last = Seen(label, 0.5, 0.0)
        notifier = SystemdNotifier({"NOTIFY_SOCKET": f"{folder}/notify"})
        announcer = Announcer(status, Tally(), StatusFile(Path(folder, "status.json")), notifier)
        announcer.set("recovering", f"{why}\nMAINPID=1 rtsp://me:hush@cam/x")
        announcer.ready()
        lines = end.recv(1 << 17).decode().split("\n")
        assert [line.partition("=")[0] for line in lines] == ["READY", "WATCHDOG", "STATUS"]
        assert "hush" not in read(Path(folder, "status.json")).why + lines[2]


def test_a_label_of_any_length_leaves_the_watchdog_fed(
    announcer: Announcer, status: Status, systemd: socket.socket
) -> None:
    status.last = Seen("x" * 1_000_000, 0.5, 0.0)
    announcer.ready()
    assert len(systemd.recv(1 << 20)) < 2000

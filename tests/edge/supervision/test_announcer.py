"""What the supervisor tells: log, status file and systemd agree."""

import logging
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.processes.messages import Started
from edge.supervision.announcer import Announcer, Repeats
from edge.supervision.status import EventStatus, Seen, Status, StatusFile, begin, read
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


def test_each_night_is_in_the_log_and_no_warning(announcer: Announcer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(2):
        announcer.set("asleep", "by the schedule, until 06:00")
        announcer.set("starting", "awake by the schedule")
        announcer.set("running", "as configured")
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.INFO, "asleep: by the schedule, until 06:00"),
        (logging.INFO, "running: as configured"),
        (logging.INFO, "asleep: by the schedule, until 06:00"),
    ]


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


def test_a_fault_is_logged_once(announcer: Announcer, caplog: pytest.LogCaptureFixture) -> None:
    for why in ("unplugged", "unplugged", "frozen", "frozen"):
        announcer.fault(why)
    announcer.is_well()
    announcer.fault("frozen", "; starting another worker")
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == ["unplugged", "frozen"]


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


def test_a_fault_and_the_state_that_it_brings_are_one_line(
    announcer: Announcer, caplog: pytest.LogCaptureFixture
) -> None:
    announcer.fault("unplugged")
    announcer.set("recovering", "unplugged")
    announcer.is_well()
    with caplog.at_level(logging.INFO):
        announcer.set("running", "as configured")
    assert [record.getMessage() for record in caplog.records] == ["unplugged", "running: as configured"]


def test_what_comes_and_goes_in_a_rhythm_fills_no_log(
    announcer: Announcer, status: Status, caplog: pytest.LogCaptureFixture
) -> None:
    """The status file still shows each state."""
    with caplog.at_level(logging.INFO):
        for number in range(1000):
            announcer.fault(f"it ended after {number} frames")
            announcer.set("recovering", f"it ended after {number} frames")
            assert status.state == "recovering"
            announcer.is_well()
            announcer.set("running", "as configured")
            assert status.state == "running"
    assert [record.getMessage() for record in caplog.records] == [
        "it ended after 0 frames",
        "running: as configured",
    ]


def test_the_same_worker_again_is_no_news(announcer: Announcer, caplog: pytest.LogCaptureFixture) -> None:
    started = Started("id", "birds", 3, "litert, Edge TPU", "stream http://cam/ 64x48", True, "in use", None)
    with caplog.at_level(logging.INFO):
        for _ in range(10):
            announcer.started(started)
        announcer.started(msgspec.structs.replace(started, engine="litert, cpu", accelerator="refused"))
    assert len(caplog.records) == 2


class TestRepeats:
    """One fault a second, and what of it is logged."""

    def test_the_same_one_is_logged_at_growing_intervals_with_its_count(self) -> None:
        repeats = Repeats(0.0)
        logged = {now: words for now in range(4 * 3600) if (words := repeats.words("no frame", now)) is not None}
        assert logged == {
            0: "",
            60: " (59 times more in 1 min, not logged)",
            1860: " (1799 times more in 30 min, not logged)",
            5460: " (3599 times more in 60 min, not logged)",
            9060: " (3599 times more in 60 min, not logged)",
            12660: " (3599 times more in 60 min, not logged)",
        }

    def test_what_has_stayed_away_for_hours_is_news(self) -> None:
        repeats = Repeats(0.0)
        assert [repeats.words("no frame", now) for now in (0, 8000, 16000)] == ["", "", ""]

    def test_another_fault_is_news_although_the_first_comes_again_and_again(self) -> None:
        repeats = Repeats(0.0)
        for now in range(100):
            repeats.words("no frame", now)
        assert repeats.words("the worker was killed", 100) == ""

    @given(
        faults=st.lists(
            st.tuples(st.floats(0, 300), st.sampled_from(["a", "b", "c"]) | st.text(max_size=3)), max_size=300
        )
    )
    def test_no_order_of_faults_fills_a_log(self, faults: list[tuple[float, str]]) -> None:
        """At most six at once, and three an hour: 15 lines in the first minute, and 9 an hour."""
        repeats, now, logged = Repeats(0.0), 0.0, 0
        for pause_s, why in faults:
            now += pause_s
            logged += repeats.words(why, now) is not None
        assert logged <= 6 + 3 * now / 3600


def test_the_recorders_fault_is_in_the_log_once(
    announcer: Announcer, status: Status, caplog: pytest.LogCaptureFixture
) -> None:
    """The recorder has logged it; the status has it in full."""
    status.events = EventStatus(fault="disk full: free some space")
    announcer.set("degraded", "too hot; events wait in memory: disk full: free some space (3 waiting)")
    assert caplog.messages == ["degraded: too hot; events wait in memory for the reason just logged (3 waiting)"]
    assert status.why.endswith("events wait in memory: disk full: free some space (3 waiting)")

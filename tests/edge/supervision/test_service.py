"""The service: a real notify socket, and signals."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from running import Running

from edge.bundle.store import Bundle
from edge.supervision.systemd import SystemdNotifier


class Notifications:
    """The receiving end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def next(self, timeout_s: float = 60.0) -> dict[str, str]:
        self.socket.settimeout(timeout_s)
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())

    def wait_for(self, key: str) -> dict[str, str]:
        while key not in (message := self.next()):
            pass
        return message


@pytest.fixture(params=["file", "abstract"])
def notifications(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Notifications]]:
    address = str(tmp_path / "notify") if request.param == "file" else f"@fieldfare-test-{os.getpid()}"
    receiver = Notifications(address)
    yield address, receiver
    receiver.socket.close()


class TestNotifier:
    def test_ready_is_said_once_and_then_signs_of_life(self, notifications: tuple[str, Notifications]) -> None:
        address, receiver = notifications
        notifier = SystemdNotifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "40000"})
        notifier.ready(lambda: "owl 0.9")
        assert receiver.next() == {"READY": "1", "WATCHDOG": "1", "STATUS": "owl 0.9"}
        notifier.ready(lambda: "wren 0.8")
        time.sleep(0.02)
        notifier.alive(lambda: "wren 0.8")
        assert receiver.next() == {"WATCHDOG": "1", "STATUS": "wren 0.8"}
        notifier.stopping()
        assert receiver.next()["STOPPING"] == "1"

    def test_before_it_is_ready_the_watchdog_is_not_fed(self, notifications: tuple[str, Notifications]) -> None:
        address, receiver = notifications
        notifier = SystemdNotifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "4"})
        for _ in range(10):
            notifier.alive(lambda: "starting")
        notifier.ready(lambda: "owl")
        assert "READY" in receiver.next()

    def test_the_watchdog_is_not_fed_more_often_than_it_needs(self, notifications: tuple[str, Notifications]) -> None:
        address, receiver = notifications
        notifier = SystemdNotifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "60000000"})
        notifier.ready(lambda: "owl")
        for _ in range(100):
            notifier.alive(lambda: "owl")
        assert "READY" in receiver.next()
        with pytest.raises(TimeoutError):
            receiver.next(0.1)

    def test_ready_is_said_again_where_the_socket_was_full(self, notifications: tuple[str, Notifications]) -> None:
        """A service that is well would be ended for want of it."""
        address, receiver = notifications
        filled = 0
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other, suppress(BlockingIOError):
            other.settimeout(0)
            while True:
                other.sendto(b"OTHER=1", receiver.socket.getsockname())
                filled += 1
        notifier = SystemdNotifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "40000"})
        notifier.ready(lambda: "owl")
        assert [receiver.next() for _ in range(filled)] == [{"OTHER": "1"}] * filled
        time.sleep(1.1)
        notifier.alive(lambda: "owl")
        assert receiver.next() == {"READY": "1", "WATCHDOG": "1", "STATUS": "owl"}

    def test_without_a_socket_nothing_happens(self) -> None:
        notifier = SystemdNotifier({})
        notifier.ready(lambda: "owl")
        notifier.alive(lambda: "owl")
        assert notifier.watchdog_s == float("inf")

    def test_a_socket_that_went_away_is_logged_once(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        notifier = SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "1"})
        notifier.ready(lambda: "owl")
        for _ in range(3):
            notifier.alive(lambda: "owl")
        assert caplog.text.count("cannot reach") == 1


one_kind = pytest.mark.parametrize("notifications", ["file"], indirect=True)


@pytest.fixture
def start_service(
    sealed: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notifications: tuple[str, Notifications]
) -> Iterator[Callable[..., Running]]:
    """Start `fieldfare run` as the unit does, with a watchdog of 0.4 s."""
    monkeypatch.setenv("NOTIFY_SOCKET", notifications[0])
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    started: list[Running] = []

    def begin(*words: str, **camera: object) -> Running:
        started.append(Running(tmp_path, sealed, *words, **camera))  # type: ignore[arg-type]
        return started[-1]

    yield begin
    for one in started:
        one.close()


@one_kind
def test_the_service_is_ready_after_a_result_feeds_the_watchdog_and_stops_cleanly(
    start_service: Callable[..., Running], notifications: tuple[str, Notifications]
) -> None:
    service, receiver = start_service("--service"), notifications[1]
    ready = receiver.next()
    assert "READY" in ready
    assert ready["STATUS"].startswith("running, ")
    assert service.results() > 0
    for _ in range(3):
        assert receiver.next()["WATCHDOG"] == "1"
    assert service.end() == 0
    assert receiver.wait_for("STOPPING")
    assert "frames classified" in service.errors()
    assert "Traceback" not in service.errors()


@one_kind
def test_a_service_without_its_camera_is_ready_too_and_says_what_is_missing(
    start_service: Callable[..., Running], notifications: tuple[str, Notifications]
) -> None:
    service, receiver = start_service("--service", source="/dev/video93"), notifications[1]
    ready = receiver.next()
    assert "READY" in ready
    assert "recovering: " in ready["STATUS"]
    assert "/dev/video93" in ready["STATUS"]
    for _ in range(3):
        assert receiver.next()["WATCHDOG"] == "1"
    assert service.process.poll() is None


@one_kind
def test_a_stopped_supervisor_starves_the_watchdog(
    start_service: Callable[..., Running], notifications: tuple[str, Notifications]
) -> None:
    service, receiver = start_service("--service"), notifications[1]
    assert "READY" in receiver.next()
    service.process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    with pytest.raises(TimeoutError):  # what was under way has been said; then there is silence
        for _ in range(60):
            receiver.next(1.0)
    service.process.send_signal(signal.SIGCONT)
    assert receiver.next()["WATCHDOG"] == "1"


@one_kind
def test_what_cannot_start_is_never_ready(
    start_service: Callable[..., Running], notifications: tuple[str, Notifications], tmp_path: Path
) -> None:
    service = start_service(source=str(tmp_path / "video9"))
    assert service.process.wait(20) == 66
    assert "Traceback" not in service.errors()
    said = [notifications[1].next(1.0)]
    assert "STOPPING" in said[0]
    with pytest.raises(TimeoutError):
        notifications[1].next(0.1)

"""The service: a real notify socket, the unit as systemd reads it, signals."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from running import Running

from edge.bundle.store import Bundle
from edge.errors import MissingInputError
from edge.inference.edgetpu_devices import CORAL_IDS
from edge.supervision.reboot import REQUEST
from edge.supervision.states import HOPELESS
from edge.supervision.systemd import SystemdNotifier

ROOT = Path(__file__).resolve().parents[3]
UNITS = ROOT / "systemd"
MAX_EXPOSURE = 2.5


def analyze(*words: object) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        if os.environ.get("CI"):
            pytest.fail("systemd-analyze is missing")
        pytest.skip("systemd-analyze is not on this machine")
    return subprocess.run(["systemd-analyze", *map(str, words)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("unit", sorted(path.name for path in UNITS.iterdir() if path.suffix in (".service", ".path")))
def test_systemd_finds_nothing_to_say_about_a_unit(unit: str) -> None:
    done = analyze("verify", UNITS / unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", ["fieldfare.service", "fieldfare@.service", "fieldfare-reboot.service"])
def test_a_unit_exposes_little(unit: str) -> None:
    done = analyze("security", "--offline=true", "--no-pager", UNITS / unit)
    found = re.search(r"Overall exposure level for fieldfare\S*: ([\d.]+)", done.stdout)
    assert found
    assert float(found[1]) <= MAX_EXPOSURE


def settings_of(unit: str) -> list[str]:
    return [line for line in (UNITS / unit).read_text().splitlines() if line and not line.startswith("#")]


def test_an_instance_differs_from_the_service_in_its_names_only() -> None:
    renamed = [
        line.replace("fieldfare@%i", "fieldfare").replace("fieldfare/%i.toml", "fieldfare/fieldfare.toml")
        for line in settings_of("fieldfare@.service")
    ]
    assert [line.replace("/%i", "").replace(" %i", "") for line in renamed] == settings_of("fieldfare.service")


def test_the_unit_starts_it_as_a_service_and_does_not_start_again_what_no_repetition_mends() -> None:
    text = (UNITS / "fieldfare.service").read_text()
    assert "fieldfare run --service --config" in text
    prevented = re.search(r"^RestartPreventExitStatus=(.*)$", text, re.MULTILINE)
    assert prevented
    assert set(map(int, prevented[1].split())) == {2, *HOPELESS} - {MissingInputError.exit_status}


def test_the_reboot_is_looked_for_where_it_is_asked_for() -> None:
    assert f"PathExists=/run/fieldfare/{REQUEST}" in settings_of("fieldfare-reboot.path")
    assert f"PathExists=/run/fieldfare/%i/{REQUEST}" in settings_of("fieldfare-reboot@.path")


def test_the_rules_open_both_faces_of_the_coral() -> None:
    rules = (UNITS / "60-fieldfare-coral.rules").read_text()
    for vendor, product in CORAL_IDS:
        assert re.search(rf'idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}".*GROUP="plugdev"', rules)


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

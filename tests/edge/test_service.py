"""The service: a real notify socket, the unit as systemd reads it, signals."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.health import SystemdNotifier

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "systemd" / "fieldfare.service"
MAX_EXPOSURE = 2.5


def analyze(*words: object) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        if os.environ.get("CI"):
            pytest.fail("systemd-analyze is missing")
        pytest.skip("systemd-analyze is not on this machine")
    return subprocess.run(["systemd-analyze", *map(str, words)], capture_output=True, text=True, check=False)


def test_systemd_finds_nothing_to_say_about_the_unit() -> None:
    done = analyze("verify", UNIT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_unit_exposes_little() -> None:
    done = analyze("security", "--offline=true", "--no-pager", UNIT)
    found = re.search(r"Overall exposure level for fieldfare.service: ([\d.]+)", done.stdout)
    assert found
    assert float(found[1]) <= MAX_EXPOSURE


def test_the_rules_open_both_faces_of_the_coral() -> None:
    rules = (ROOT / "systemd" / "60-fieldfare-coral.rules").read_text()
    for vendor, product in (("1a6e", "089a"), ("18d1", "9302")):
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
    def test_ready_is_said_once_with_the_first_decision(self, notifications: tuple[str, Notifications]) -> None:
        address, receiver = notifications
        notifier = SystemdNotifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "40000"})
        notifier.decision("owl 0.9")
        assert receiver.next() == {"READY": "1", "WATCHDOG": "1", "STATUS": "owl 0.9"}
        time.sleep(0.02)
        notifier.decision("wren 0.8")
        assert receiver.next() == {"WATCHDOG": "1", "STATUS": "wren 0.8"}
        notifier.stopping()
        assert receiver.next()["STOPPING"] == "1"

    def test_the_watchdog_is_not_fed_more_often_than_it_needs(self, notifications: tuple[str, Notifications]) -> None:
        address, receiver = notifications
        notifier = SystemdNotifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "60000000"})
        for _ in range(100):
            notifier.decision("owl")
        assert "READY" in receiver.next()
        with pytest.raises(TimeoutError):
            receiver.next(0.1)

    def test_without_a_socket_nothing_happens(self) -> None:
        SystemdNotifier({}).decision("owl")

    def test_a_socket_that_went_away_is_logged_once(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        notifier = SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "1"})
        for _ in range(3):
            notifier.decision("owl")
        assert caplog.text.count("cannot reach") == 1


@pytest.fixture
def start(sealed: object, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `fieldfare run` as the unit does: by a settings file."""
    children: list[subprocess.Popen[str]] = []

    def begin(*words: str, source: str = "synthetic", fps: int = 30, **environment: str) -> subprocess.Popen[str]:
        config = tmp_path / "fieldfare.toml"
        config.write_text(
            f'bundle = "{sealed.path}"\n[camera]\nsource = "{source}"\nfps = {fps}\ntimeout_s = 5\n'  # type: ignore[attr-defined]
            f'[output]\njsonl = "{tmp_path}/results.jsonl"\nconsole = "off"\n'
        )
        command = [sys.executable, "-m", "edge", "run", "--config", str(config), *words]
        child = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        children.append(child)
        return child

    yield begin
    for child in children:
        child.kill()
        child.communicate()


def test_the_daemon_is_ready_after_a_decision_feeds_the_watchdog_and_stops_cleanly(
    start: Callable[..., subprocess.Popen[str]], notifications: tuple[str, Notifications], tmp_path: Path
) -> None:
    address, receiver = notifications
    child = start(NOTIFY_SOCKET=address, WATCHDOG_USEC="400000")
    assert "READY" in receiver.next()
    assert (tmp_path / "results.jsonl").stat().st_size > 0
    for _ in range(3):
        assert receiver.next()["WATCHDOG"] == "1"
    child.send_signal(signal.SIGTERM)
    assert receiver.wait_for("STOPPING")
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 0
    assert "frames classified" in errors
    assert "Traceback" not in errors
    assert all(json.loads(line)["label"] for line in (tmp_path / "results.jsonl").read_text().splitlines())


def test_a_stopped_process_starves_the_watchdog(
    start: Callable[..., subprocess.Popen[str]], notifications: tuple[str, Notifications]
) -> None:
    address, receiver = notifications
    child = start(NOTIFY_SOCKET=address, WATCHDOG_USEC="400000")
    assert "READY" in receiver.next()
    child.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    with pytest.raises(TimeoutError):  # what was under way has been said; then there is silence
        for _ in range(10):
            receiver.next(1.0)
    child.send_signal(signal.SIGCONT)
    assert receiver.next()["WATCHDOG"] == "1"


def test_a_camera_that_never_gives_a_frame_is_never_ready(
    start: Callable[..., subprocess.Popen[str]], notifications: tuple[str, Notifications], tmp_path: Path
) -> None:
    address, receiver = notifications
    child = start(source=str(tmp_path / "video9"), NOTIFY_SOCKET=address)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 66
    assert "Traceback" not in errors
    with pytest.raises(TimeoutError):
        receiver.next(0.1)


def test_ctrl_c_ends_cleanly_with_a_summary(start: Callable[..., subprocess.Popen[str]]) -> None:
    child = start("--json")
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 0
    assert "frames classified" in errors
    assert "Traceback" not in errors

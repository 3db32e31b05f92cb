"""The service: a real notify socket, the unit as systemd reads it, signals."""

import os
import re
import shlex
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
from edge.config.loading import load_settings
from edge.errors import MissingInputError
from edge.inference.edgetpu_devices import CORAL_IDS
from edge.supervision import reboot_grant
from edge.supervision.states import HOPELESS
from edge.supervision.systemd import REQUEST, SystemdNotifier

ROOT = Path(__file__).resolve().parents[3]
UNITS = ROOT / "systemd"
MAX_EXPOSURE = 2.5
LENT = ("outputs-network.conf", "outputs-gpio.conf")


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


@pytest.mark.parametrize("unit", sorted(path.name for path in UNITS.glob("*.service")))
def test_a_unit_exposes_little(unit: str) -> None:
    done = analyze("security", "--offline=true", "--no-pager", UNITS / unit)
    found = re.search(r"Overall exposure level for fieldfare\S*: ([\d.]+)", done.stdout)
    assert found
    assert float(found[1]) <= MAX_EXPOSURE


@pytest.mark.parametrize("lent", [(), ("outputs-network.conf",), ("outputs-gpio.conf",), (*sorted(LENT),)])
def test_the_outputs_expose_less_even_with_what_is_lent_to_them(tmp_path: Path, lent: tuple[str, ...]) -> None:
    # systemd reads a drop-in as if it stood at the end of the unit.
    texts = [(UNITS / name).read_text() for name in ("fieldfare-outputs.service", *lent)]
    (tmp_path / "fieldfare-outputs.service").write_text("\n".join(texts))
    checked = analyze("verify", tmp_path / "fieldfare-outputs.service")
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    done = analyze("security", "--offline=true", "--no-pager", tmp_path / "fieldfare-outputs.service")
    found = re.search(r"Overall exposure level for \S*: ([\d.]+)", done.stdout)
    assert found
    assert float(found[1]) <= 1.5


def test_the_network_is_lent_to_the_outputs_and_to_nothing_else() -> None:
    families = {
        path.name: next(line for line in settings_of(path.name) if line.startswith("RestrictAddressFamilies="))
        for path in UNITS.glob("fieldfare*.service")
        if "fieldfare-reboot" not in path.name
    }
    assert families["fieldfare-outputs.service"] == "RestrictAddressFamilies=AF_UNIX"
    assert not [unit for unit, line in families.items() if "INET" in line]
    assert "fieldfare-outputs.service.d" in (UNITS / "outputs-network.conf").read_text()


def settings_of(unit: str) -> list[str]:
    return [line for line in (UNITS / unit).read_text().splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("name", ["fieldfare", "fieldfare-outputs"])
def test_an_instance_differs_from_the_service_in_its_names_only(name: str) -> None:
    renamed = [
        line.replace("@%i", "").replace("fieldfare/%i.toml", "fieldfare/fieldfare.toml")
        for line in settings_of(f"{name}@.service")
    ]
    assert [line.replace("/%i", "").replace(" %i", "") for line in renamed] == settings_of(f"{name}.service")


def test_the_unit_starts_it_as_a_service_and_does_not_start_again_what_no_repetition_mends() -> None:
    text = (UNITS / "fieldfare.service").read_text()
    assert "fieldfare run --service --no-outputs --config" in text
    prevented = re.search(r"^RestartPreventExitStatus=(.*)$", text, re.MULTILINE)
    assert prevented
    assert set(map(int, prevented[1].split())) == {2, *HOPELESS} - {MissingInputError.exit_status}


def test_the_reboot_is_looked_for_where_it_is_asked_for() -> None:
    assert f"PathExists=/run/fieldfare/{REQUEST}" in settings_of("fieldfare-reboot.path")
    assert f"PathExists=/run/fieldfare/%i/{REQUEST}" in settings_of("fieldfare-reboot@.path")


def commands(unit: str) -> list[str]:
    """Return the commands of a unit as systemd runs them: lines joined, `$$` for `$`."""
    text = (UNITS / unit).read_text().replace("\\\n", "")
    return [
        line.removeprefix("ExecStart=").replace("$$", "$") for line in text.splitlines() if line[:10] == "ExecStart="
    ]


def take_requests(run: Path) -> subprocess.CompletedProcess[str]:
    """Do what fieldfare-reboot.service does with the requests, in another folder."""
    *_, script = commands("fieldfare-reboot.service")
    words = shlex.split(script.replace("/run/fieldfare", str(run)))
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)


class TestTakingARequest:
    @pytest.mark.parametrize("place", [".", "front"])
    def test_a_plain_file_is_one(self, tmp_path: Path, place: str) -> None:
        (tmp_path / place).mkdir(exist_ok=True)
        file = tmp_path / place / REQUEST
        file.write_bytes(b"no frame\x1b[31m for\n3 s <0>" + b"x" * 10_000)
        done = take_requests(tmp_path)
        assert done.returncode == 0
        assert not file.exists()
        assert done.stdout.count("\n") == 1
        assert done.stdout.startswith(str(tmp_path))
        assert done.stdout.replace("\n", "").isprintable()
        assert len(done.stdout) < 700

    @pytest.mark.parametrize("what", ["pipe", "link", "link to a folder", "folder"])
    def test_anything_else_goes_and_is_none(self, tmp_path: Path, what: str) -> None:
        run, kept = tmp_path / "run", tmp_path / "kept"
        run.mkdir()
        kept.mkdir()
        (kept / "file").write_text("secret")
        match what:
            case "pipe":
                os.mkfifo(run / REQUEST)
            case "link":
                (run / REQUEST).symlink_to(kept / "file")
            case "link to a folder":
                (run / REQUEST).symlink_to(kept)
            case _:
                (run / REQUEST / "deep/er").mkdir(parents=True)
                (run / REQUEST / "out").symlink_to(kept)
        done = take_requests(run)
        assert done.returncode == 1
        assert "not a plain file: removed, no reboot" in done.stdout
        assert "secret" not in done.stdout
        assert list(run.iterdir()) == []
        assert (kept / "file").read_text() == "secret"

    def test_without_one_there_is_no_reboot(self, tmp_path: Path) -> None:
        assert take_requests(tmp_path).returncode == 1


def test_root_does_nothing_but_count_and_reboot() -> None:
    """What the service's user can write is for the unit without privileges; the other starts after its success only."""
    taking, rebooting = settings_of("fieldfare-reboot.service"), settings_of("fieldfare-reboot-now.service")
    assert "User=fieldfare" in taking
    assert "OnSuccess=fieldfare-reboot-now.service" in taking
    assert not any(line.startswith(("ExecStart=!", "ExecStart=+")) for line in taking)
    assert not any(line.startswith("User=") for line in rebooting)
    assert "InaccessiblePaths=-/run/fieldfare -/var/lib/fieldfare" in rebooting
    assert {"StateDirectory=fieldfare-reboot", "StateDirectoryMode=0700"} <= set(rebooting)
    first, second = commands("fieldfare-reboot-now.service")
    assert first == f"/usr/bin/env python3 -I -m {reboot_grant.__name__}"
    assert second == "/usr/bin/systemctl --no-block reboot"
    assert any(line.startswith(f"Environment={reboot_grant.A_DAY}=") for line in rebooting)


def test_no_flood_of_requests_makes_the_path_unit_give_up() -> None:
    """Its service takes a while each time, so that it never reaches its limit of starts."""
    taking = settings_of("fieldfare-reboot.service")
    limit = {key: int(value) for key, _, value in (line.partition("=") for line in taking) if key.startswith("StartL")}
    pause = re.fullmatch(r"/usr/bin/sleep (\d+)", commands("fieldfare-reboot.service")[0])
    assert pause
    assert int(pause[1]) * limit["StartLimitBurst"] > limit["StartLimitIntervalSec"]


def test_the_bundle_is_roots() -> None:
    settings = load_settings(UNITS / "fieldfare.toml")
    assert settings.bundle == "/etc/fieldfare/bundle.fieldfare"
    installing = (ROOT / "README.md").read_text()
    assert f"sudo install -m 644 birds.fieldfare {settings.bundle}" in installing


@pytest.mark.parametrize("unit", ["fieldfare.service", "fieldfare@.service"])
def test_an_instance_cannot_reach_into_another(unit: str) -> None:
    assert {"PrivateUsers=yes", "StateDirectoryMode=0750", "ProtectSystem=strict"} <= set(settings_of(unit))


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

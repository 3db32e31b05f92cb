"""The service as README installs it, under a real systemd, with the kernel's cameras and their real device nodes."""

import json
import pwd
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

BENCH = Path("/bench")
STATE = Path("/var/lib/fieldfare")
RESULTS = STATE / "results.jsonl"
SETTINGS = Path("/etc/fieldfare/fieldfare.toml")
DRIVER = Path("/sys/bus/platform/drivers/vivid")


def shell(command: str) -> str:
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    """As README says, whose commands these are; no camera is left from other checks."""
    subprocess.run(["modprobe", "-r", "vivid", "vimc"], capture_output=True, check=False)
    shell(
        "cd /bench/systemd &&"
        "install -D -m 644 fieldfare.sysusers /etc/sysusers.d/fieldfare.conf &&"
        "install -D -m 644 60-fieldfare-coral.rules /etc/udev/rules.d/60-fieldfare-coral.rules &&"
        "install -D -m 644 fieldfare.service /etc/systemd/system/fieldfare.service &&"
        "install -D -m 644 fieldfare.toml /etc/fieldfare/fieldfare.toml &&"
        "systemd-sysusers && udevadm control --reload && udevadm trigger --settle &&"
        "install -m 644 /bench/bundle.fieldfare /etc/fieldfare/bundle.fieldfare &&"
        "systemctl daemon-reload"
    )


@pytest.fixture(autouse=True)
def _stopped() -> Iterator[None]:
    RESULTS.unlink(missing_ok=True)
    yield
    subprocess.run(["systemctl", "stop", "fieldfare"], check=True)
    sys.stdout.write(shell("journalctl -u fieldfare --no-pager -o cat | tail -40"))  # shown where a check failed


def use(source: str) -> None:
    """Choose the camera, and nothing else."""
    text = (BENCH / "systemd" / "fieldfare.toml").read_text()
    SETTINGS.write_text(text.replace('source = "picamera2"', f'source = "{source}"'))


def results() -> list[dict[str, object]]:
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []


def wait_for_results(more_than: int, within_s: float = 60) -> None:
    ends_s = time.monotonic() + within_s
    while len(results()) <= more_than:
        assert time.monotonic() < ends_s, f"{len(results())} results: {shell('systemctl status fieldfare || true')}"
        time.sleep(0.3)


def test_a_usb_camera_unplugged_and_plugged_in_again() -> None:
    """As the service's own user, without a restart of the service."""
    shell("modprobe vivid n_devs=1 node_types=0x1 && udevadm settle")
    use("/dev/video0")
    shell("systemctl start fieldfare")
    assert shell("systemctl is-active fieldfare") == "active"
    wait_for_results(5)
    device = next(DRIVER.glob("vivid.*")).name
    (DRIVER / "unbind").write_text(device)
    time.sleep(6)
    assert shell("systemctl is-active fieldfare") == "active"
    before = len(results())
    time.sleep(2)
    assert len(results()) == before, "there is no camera"
    (DRIVER / "bind").write_text(device)
    wait_for_results(before + 5)
    assert shell("systemctl show fieldfare -p NRestarts --value") == "0"
    main = shell("systemctl show fieldfare -p MainPID --value")
    assert Path(f"/proc/{main}").stat().st_uid == pwd.getpwnam("fieldfare").pw_uid
    shell("systemctl stop fieldfare && modprobe -r vivid")


def test_a_camera_of_libcamera() -> None:
    """picamera2 under the unit's rules: video and media nodes, and memory from /dev/dma_heap."""
    drop_in = Path("/etc/systemd/system/fieldfare.service.d/vimc.conf")
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text("[Service]\nEnvironment=LIBCAMERA_PIPELINES_MATCH_LIST=vimc\n")
    shell("modprobe vimc && udevadm settle && systemctl daemon-reload")
    use("picamera2")
    shell("systemctl start fieldfare")
    wait_for_results(2)
    assert shell("systemctl show fieldfare -p NRestarts --value") == "0"
    assert "BGR888" in shell("journalctl -u fieldfare --no-pager -o cat")

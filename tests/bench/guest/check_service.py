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
    """Choose the camera, and a line for every frame, by which these tests judge; nothing else."""
    text = (BENCH / "systemd" / "fieldfare.toml").read_text()
    SETTINGS.write_text(text.replace('source = "picamera2"', f'source = "{source}"').replace("# jsonl =", "jsonl ="))


def results() -> list[dict[str, object]]:
    # The last line may just be on its way.
    return [json.loads(line) for line in RESULTS.read_text().split("\n")[:-1]] if RESULTS.exists() else []


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


class TestReboot:
    """The units that reboot, up to the last command, which reports only."""

    REQUEST = Path("/run/fieldfare/reboot-request")

    @pytest.fixture(scope="class", autouse=True)
    def _units(self) -> Iterator[None]:
        shell(
            "cd /bench/systemd && install -m 644 fieldfare-reboot.path fieldfare-reboot*.service /etc/systemd/system/"
        )
        drop_in = Path("/etc/systemd/system/fieldfare-reboot-now.service.d/trial.conf")
        drop_in.parent.mkdir()
        drop_in.write_text(
            "[Service]\nEnvironment=FIELDFARE_REBOOTS_A_DAY=1\nExecStart=\n"
            "ExecStart=/usr/bin/env python3 -I -m edge.supervision.reboot_grant\n"
            "ExecStart=/usr/bin/echo would reboot\n"
        )
        shell("install -d -o fieldfare -g fieldfare /run/fieldfare && systemctl daemon-reload")
        shell("systemctl start fieldfare-reboot.path")
        yield
        shell("systemctl stop fieldfare-reboot.path")

    def request(self, command: str, within_s: float = 60) -> str:
        """Make a request as the service's user. Returns what was logged until it was taken and all units rest."""
        since = shell("date +%s.%N")
        shell(f"runuser -u fieldfare -- {command} {self.REQUEST}")
        ends_s = time.monotonic() + within_s
        busy = "systemctl is-active fieldfare-reboot.service fieldfare-reboot-now.service | grep -q activating"
        while self.REQUEST.exists() or subprocess.run(busy, shell=True, check=False).returncode == 0:
            assert time.monotonic() < ends_s, shell("systemctl status 'fieldfare-reboot*' || true")
            time.sleep(0.5)
        time.sleep(3)  # the one unit starts the other
        while subprocess.run(busy, shell=True, check=False).returncode == 0:
            assert time.monotonic() < ends_s
            time.sleep(0.5)
        assert shell("systemctl is-active fieldfare-reboot.path") == "active"
        return shell(f"journalctl -t fieldfare-reboot --since @{since} --no-pager -o cat")

    @pytest.mark.parametrize("command", ["mkdir", "mkfifo"])
    def test_what_is_no_file_goes_and_nothing_else_happens(self, command: str) -> None:
        logged = self.request(command)
        assert "not a plain file: removed, no reboot" in logged
        assert "would reboot" not in logged

    def test_no_more_than_root_allows(self) -> None:
        logged = [self.request("touch") for _ in range(2)]
        assert ["would reboot" in one for one in logged] == [True, False]
        assert "1 in 24 hours were allowed already" in logged[1]
        record = Path("/var/lib/fieldfare-reboot")
        assert (record.stat().st_uid, record.stat().st_mode & 0o777) == (0, 0o700)


def test_two_instances_cannot_reach_into_each_other() -> None:
    """By the namespaces that the unit gives each, with another program in the place of Fieldfare."""
    shell("install -m 644 /bench/systemd/fieldfare@.service /etc/systemd/system/fieldfare@.service")
    drop_in = Path("/etc/systemd/system/fieldfare@.service.d/sleep.conf")
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nType=exec\nWatchdogSec=0\nExecStart=\nExecStart=/bin/sleep 600\n")
    shell("systemctl daemon-reload && systemctl start fieldfare@back")
    back = shell("systemctl show fieldfare@back -p MainPID --value")
    tries = [
        "touch /var/lib/fieldfare/back/x",
        f"touch /proc/{back}/root/var/lib/fieldfare/back/x",
        f"head -c 1 /proc/{back}/mem",
        "touch /etc/fieldfare/x",
        "touch /var/lib/fieldfare/front/mine",
    ]
    script = "; ".join(f"{one} 2>/dev/null && echo yes || echo no" for one in tries)
    drop_in.write_text(
        f"[Service]\nType=oneshot\nRestart=no\nWatchdogSec=0\nExecStart=\nExecStart=/bin/sh -c '{script}'\n"
    )
    try:
        shell("systemctl daemon-reload && systemctl start fieldfare@front")
        answers = shell("journalctl -t fieldfare@front --no-pager -o cat | grep -xE 'yes|no'").split()
        assert answers == ["no", "no", "no", "no", "yes"]
    finally:
        shell("systemctl stop fieldfare@back; rm -r /etc/systemd/system/fieldfare@.service.d; systemctl daemon-reload")


def test_the_doctor_opens_nothing_as_root() -> None:
    """A bundle of the service's user: what root's doctor starts for it runs as that user, and can do its work."""
    theirs = STATE / "theirs.fieldfare"
    shell(f"install -d -o fieldfare {STATE} && install -m 644 -o fieldfare /bench/bundle.fieldfare {theirs}")
    code = (
        "import sys; from edge.doctor.privileges import Careful, service_account;"
        # Longer than the doctor itself allows: this machine is emulated.
        "print(Careful(service_account())('golden', [sys.argv[1], {'device': 'cpu'}], 200.0).ending)"
    )
    doctor = subprocess.Popen([sys.executable, "-c", code, theirs], stdout=subprocess.PIPE)
    watched: set[int] = set()
    while doctor.poll() is None:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                # Between fork and exec a child is root's still, but then it has the doctor's command line.
                if b"edge.doctor.probe" in (folder / "cmdline").read_bytes().split(b"\0"):
                    watched.add(folder.stat().st_uid)
            except OSError:
                continue
        time.sleep(0.2)
    assert doctor.communicate()[0] == b"answered\n"
    assert watched == {pwd.getpwnam("fieldfare").pw_uid}

"""Finding the device files of what hangs on USB, in made-up trees of /sys, and resetting them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.processes.side_jobs import SideJobs
from edge.processes.usb import RESET_JOB, camera_node, coral_node, edge_tpus, reset, start_reset

NODES = Path("/dev/bus/usb")


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    (tmp_path / "bus/usb/devices").mkdir(parents=True)
    (tmp_path / "class/video4linux").mkdir(parents=True)
    return tmp_path


def plug(sysfs: Path, port: str, bus: int, number: int, ids: str = "0bda:5830") -> Path:
    """A device, and the link to it, as the kernel makes them."""
    device = sysfs / "devices/platform/xhci/usb1" / port
    device.mkdir(parents=True)
    vendor, _, product = ids.partition(":")
    for name, text in {"busnum": bus, "devnum": number, "idVendor": vendor, "idProduct": product}.items():
        (device / name).write_text(f"{text}\n")
    (sysfs / "bus/usb/devices" / port).symlink_to(device)
    return device


def video(sysfs: Path, name: str, behind: Path) -> None:
    (sysfs / "class/video4linux" / name).mkdir()
    (sysfs / "class/video4linux" / name / "device").symlink_to(behind)


@pytest.fixture
def corals(sysfs: Path) -> Path:
    """Two on USB, as both their faces, beside something else; and one on PCIe, in the folder `dev`."""
    plug(sysfs, "1-1", 1, 4, "1a6e:089a")
    plug(sysfs, "1-2", 1, 113, "18d1:9302")
    plug(sysfs, "1-3", 1, 6, "18d1:4ee7")
    (sysfs / "bus/usb/devices/1-1:1.0").mkdir()  # an interface: no ids
    (sysfs / "dev").mkdir()
    (sysfs / "dev/apex_0").touch()
    return sysfs


@pytest.mark.parametrize(
    ("wanted", "node"),
    [
        ("usb:1", "001/113"),
        ("usb:1-1", "001/004"),
        ("1-2", "001/113"),
        ("auto", None),  # which of them? another service may be using it
        ("any", None),
        ("usb", None),
        ("pci", None),
        ("pci:0", None),
        ("/dev/apex_0", None),
        ("usb:5", None),
    ],
)
def test_only_the_coral_that_is_meant_is_reset(corals: Path, wanted: str, node: str | None) -> None:
    found = coral_node(wanted, 3, corals, dev=corals / "dev")
    assert found == (None if node is None else NODES / node)


def test_numbers_mean_nothing_once_one_of_several_has_gone(corals: Path) -> None:
    assert coral_node("usb:0", 4, corals, dev=corals / "dev") is None
    assert coral_node("usb:1-1", 4, corals, dev=corals / "dev") == NODES / "001/004"


@pytest.mark.parametrize(("most", "node"), [(1, NODES / "002/009"), (2, None)])
def test_the_only_one_there_ever_was_needs_no_name(sysfs: Path, most: int, node: Path | None) -> None:
    plug(sysfs, "2-1", 2, 9, "18d1:9302")
    assert coral_node("auto", most, sysfs, dev=sysfs / "none") == node


def test_without_usb_there_is_no_coral(tmp_path: Path) -> None:
    assert edge_tpus(tmp_path / "nothing", tmp_path) == ()
    assert coral_node("auto", 0, tmp_path / "nothing", dev=tmp_path) is None


def test_a_webcam_is_the_device_above_its_interface(sysfs: Path) -> None:
    device = plug(sysfs, "1-1.2", 2, 17)
    (device / "1-1.2:1.0").mkdir()
    video(sysfs, "video0", device / "1-1.2:1.0")
    assert camera_node("/dev/video0", sysfs) == NODES / "002/017"


def test_a_link_to_a_webcam_is_followed(sysfs: Path) -> None:
    device = plug(sysfs, "1-1", 1, 9)
    video(sysfs, "video3", device)
    (sysfs / "by-id").symlink_to(sysfs / "video3")
    assert camera_node(str(sysfs / "by-id"), sysfs) == NODES / "001/009"


def test_a_camera_that_is_not_on_usb_has_none(sysfs: Path) -> None:
    (sysfs / "devices/platform/unicam").mkdir(parents=True)
    video(sysfs, "video1", sysfs / "devices/platform/unicam")
    assert camera_node("/dev/video1", sysfs) is None


def test_a_camera_that_is_gone_has_none(sysfs: Path) -> None:
    assert camera_node("/dev/video7", sysfs) is None


def test_what_is_no_usb_device_is_an_os_error_and_is_closed(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    before = os.listdir("/proc/self/fd")  # noqa: PTH208 - names are enough
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        reset(tmp_path / "plain")
    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208


@pytest.mark.parametrize(
    ("name", "why"), [("plain", "Inappropriate ioctl for device"), ("gone", "No such file or directory")]
)
def test_the_program_says_why_it_failed(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "plain").touch()
    command = [sys.executable, "-m", "edge.processes.usb", str(tmp_path / name), str(os.getpid())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 69
    assert done.stderr == f"WARNING USB reset of {tmp_path / name} failed: {why}\n"


def test_a_reset_runs_beside_everything_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    jobs = SideJobs()
    start_reset(jobs, "the camera", tmp_path / "gone")
    assert jobs.runs(RESET_JOB)
    assert f"resetting the camera on USB ({tmp_path}/gone)" in caplog.text
    jobs.close()

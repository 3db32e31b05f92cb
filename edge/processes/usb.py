"""Reset a USB device that hangs, as pulling it out and putting it back would.

Run as `python -m edge.processes.usb NODE PARENT`, as the call may hang in the kernel. Needs write access to the node:
the udev rules give it for the Coral.
"""

import fcntl
import logging
import os
import sys
from pathlib import Path

from edge.inference.edgetpu_devices import DEV, EdgeTpuDevice, find_devices
from edge.processes.child import die_with
from edge.processes.logs import log_to_parent
from edge.processes.side_jobs import SideJobs

_log = logging.getLogger(__name__)

USBDEVFS_RESET = ord("U") << 8 | 20  # linux/usbdevice_fs.h
RESET_JOB = "USB reset"
_LIMIT_S = 10.0
_SYSFS = Path("/sys")
_NODES = Path("/dev/bus/usb")


def coral_node(wanted: str, most: int, sysfs: Path = _SYSFS, nodes: Path = _NODES, dev: Path = DEV) -> Path | None:
    """Return the device file of the Coral on USB that `wanted` surely means, None if there is none.

    wanted: as engine.device
    most: how many Edge TPUs there were at most
    """
    # Resetting another one would break the service that uses that. Numbers mean nothing once one of several is gone.
    there = edge_tpus(sysfs, dev)
    for device in there:
        by_place = wanted in (device.place, f"usb:{device.place}")
        by_number = wanted == device.name and len(there) >= most
        the_only_one = wanted in ("auto", "any", "edgetpu", "usb") and len(there) == 1 >= most
        if device.kind == "usb" and (by_place or by_number or the_only_one):
            return usb_node(device.place, sysfs, nodes)
    return None


def usb_node(place: str, sysfs: Path = _SYSFS, nodes: Path = _NODES) -> Path:
    """Return the device file of what is plugged in at `place`, such as 2-1.4."""
    return _node(sysfs / "bus/usb/devices" / place, nodes)


def edge_tpus(sysfs: Path = _SYSFS, dev: Path = DEV) -> tuple[EdgeTpuDevice, ...]:
    """Return the Edge TPUs that are plugged in."""
    return find_devices(sysfs / "bus/usb/devices", dev)


def camera_node(video: str, sysfs: Path = _SYSFS, nodes: Path = _NODES) -> Path | None:
    """Return the device file of the USB device behind /dev/videoN; None if it is not on USB, or gone."""
    device = (sysfs / "class/video4linux" / Path(os.path.realpath(video)).name / "device").resolve()
    for folder in (device, *device.parents):
        if (folder / "busnum").is_file():
            return _node(folder, nodes)
    return None


def reset(node: Path) -> None:
    """Reset the device. Raises OSError: PermissionError without write access, ENODEV if it is gone."""
    handle = os.open(node, os.O_WRONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(handle, USBDEVFS_RESET, 0)
    finally:
        os.close(handle)


def start_reset(jobs: SideJobs, what: str, node: Path) -> None:
    """Start a reset of `node` among the side jobs, unless one hangs already; `what` is for the log."""
    if jobs.runs(RESET_JOB):
        return
    _log.warning("resetting %s on USB (%s)", what, node)
    jobs.start(RESET_JOB, "edge.processes.usb", [str(node), str(os.getpid())], _LIMIT_S)


def _node(device: Path, nodes: Path) -> Path:
    return nodes / f"{int(_text(device / 'busnum') or 0):03d}" / f"{int(_text(device / 'devnum') or 0):03d}"


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def main() -> int:
    """Reset the device; returns the exit status, 0 after a reset and 69 if it failed."""
    die_with(int(sys.argv[2]))
    try:
        reset(Path(sys.argv[1]))
    except OSError as error:
        log_to_parent()
        _log.warning("USB reset of %s failed: %s", sys.argv[1], error.strerror or error)
        return 69
    return 0


if __name__ == "__main__":
    sys.exit(main())

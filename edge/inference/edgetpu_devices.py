"""Find the Edge TPUs that are plugged in, without libedgetpu: its own call opens the device, and can hang."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.errors import EngineError

SYSFS_USB = Path("/sys/bus/usb/devices")
DEV = Path("/dev")
DPKG = Path("/var/lib/dpkg/info")
_LIBRARY_FOLDERS = tuple(map(Path, ("/lib", "/usr/lib", "/usr/local/lib", "/opt/lib")))

# USB vendor and product: the first until the firmware is loaded (at the first use), the second from then on.
_UNLOADED, _LOADED = ("1a6e", "089a"), ("18d1", "9302")
CORAL_IDS = frozenset({_UNLOADED, _LOADED})
# Over USB 2 (480 Mbit/s) the input and every parameter that does not fit on the chip take 10 times as long.
FULL_SPEED_MBIT = 5000


@dataclass(frozen=True, slots=True)
class EdgeTpuDevice:
    """One Edge TPU.

    name: as libedgetpu counts ("usb:0"), here in the order of `place`; not verified that libedgetpu's is the same.
    place: bus and ports of a USB device ("2-1.4"), the device file of a PCIe one.
    speed_mbit: of the USB link.
    loaded: a USB device has its firmware, so it was used since it was plugged in.
    """

    name: str
    place: str
    kind: Literal["usb", "pci"]
    speed_mbit: int | None = None
    loaded: bool = True

    @property
    def warning(self) -> str | None:
        """Return what is wrong with the USB link, or None."""
        if self.speed_mbit is None or self.speed_mbit >= FULL_SPEED_MBIT:
            return None
        return (
            f"the Edge TPU {self.name} ({self.place}) runs at {self.speed_mbit} Mbit/s: use a USB 3 port (blue) "
            "and its own cable"
        )

    @property
    def usb_id(self) -> str:
        """Return vendor and product of a USB device, as lsusb shows them."""
        return ":".join(_LOADED if self.loaded else _UNLOADED)

    def __str__(self) -> str:
        speed = "" if self.speed_mbit is None else f", {self.speed_mbit} Mbit/s"
        return f"{self.name} ({self.place}{speed})"


def find_devices(sysfs: Path = SYSFS_USB, dev: Path = DEV) -> tuple[EdgeTpuDevice, ...]:
    """Return the Edge TPUs of this machine, USB before PCIe, each kind by place. One that vanishes is left out."""
    usb: list[EdgeTpuDevice] = []
    for folder in sorted(_entries(sysfs), key=lambda path: _numbers(path.name)):
        ids = _read(folder / "idVendor").lower(), _read(folder / "idProduct").lower()
        if ids in CORAL_IDS:
            speed = _read(folder / "speed")
            mbit = int(float(speed)) if re.fullmatch(r"\d+(\.\d+)?", speed) else None
            usb.append(EdgeTpuDevice(f"usb:{len(usb)}", folder.name, "usb", mbit, loaded=ids == _LOADED))
    apex = [path for path in _entries(dev) if re.fullmatch(r"apex_\d+", path.name)]
    apex.sort(key=lambda path: _numbers(path.name))
    return (*usb, *(EdgeTpuDevice(f"pci:{number}", str(path), "pci") for number, path in enumerate(apex)))


def describe_devices(devices: Sequence[EdgeTpuDevice]) -> str:
    """Return the devices in a few words, for messages."""
    return ", ".join(map(str, devices)) or "none"


def choose_device(wanted: str, devices: Sequence[EdgeTpuDevice]) -> str:
    """Return libedgetpu's option for the device `wanted`.

    wanted: "" or "any", "usb", "pci", "usb:N", "pci:N", or a place such as "usb:2-1.4", "2-1.4" or "/dev/apex_0".
    Only places are looked up. Raises EngineError, with the devices found, if there is none at the place.
    """
    if wanted in ("", "any"):
        return ""
    if re.fullmatch(r"(usb|pci)(:\d+)?", wanted):
        return wanted
    for device in devices:
        if wanted in (device.place, f"{device.kind}:{device.place}"):
            return device.name
    raise EngineError(f"no Edge TPU at {wanted!r}; there: {describe_devices(devices)}")


def may_be_installed(library: str) -> bool:
    """Return True if the file `library` exists, by its path, or by its name in the loader's folders. Loads nothing.
    A file in a folder without permission does not count."""
    if "/" in library:
        return _exists(Path(library))
    folders = [Path(text) for text in os.environ.get("LD_LIBRARY_PATH", "").split(":") if text]
    return any(_exists(folder / library) for folder in (*folders, *_LIBRARY_FOLDERS)) or any(
        next(folder.glob(f"*-linux-gnu*/{library}"), None) is not None for folder in _LIBRARY_FOLDERS
    )


def library_clock(dpkg: Path = DPKG) -> Literal["standard", "maximum"] | None:
    """Return which of Coral's two packages is installed; None for neither, as with a rebuilt library.

    libedgetpu1-std runs the chip at a reduced clock, libedgetpu1-max at the full one, which makes it too hot to touch
    (Coral's documents).
    """
    clocks: tuple[tuple[str, Literal["standard", "maximum"]], ...] = (("std", "standard"), ("max", "maximum"))
    for suffix, clock in clocks:
        if any(re.fullmatch(rf"libedgetpu1-{suffix}(:\w+)?\.list", path.name) for path in _entries(dpkg)):
            return clock
    return None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", name)))

"""Read the board's state: temperature, power, memory, clock. Standard library only.

A source that is missing gives None ("not offered"), never an invented value. Every root folder is an argument, so
that tests can read a tree of their own.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PowerFlag = Literal["under-voltage", "frequency capped", "throttled", "soft temperature limit"]

# Bits of the Raspberry Pi firmware's get_throttled: now, and 16 places higher since boot
# (raspberrypi.com documentation, "vcgencmd get_throttled"; raspberrypi/linux issue 2367).
POWER_BITS: dict[int, PowerFlag] = {
    0: "under-voltage",
    1: "frequency capped",
    2: "throttled",
    3: "soft temperature limit",
}
_SINCE_BOOT = 16
_COMMAND_S = 2.0
_stuck: dict[str, subprocess.Popen[str]] = {}
# A zone without a sensor reports nonsense such as -273 or 0x7fffffff.
_COLDEST_C, _HOTTEST_C = -60.0, 160.0


@dataclass(frozen=True, slots=True)
class Power:
    """Throttling, from one source.

    now: flags that are set.
    since_boot: flags that were set at any time since boot; None if the source does not record that.
    known: the flags that this source can report at all.
    source: its name, "sysfs", "hwmon" or "vcgencmd".
    """

    now: tuple[PowerFlag, ...]
    since_boot: tuple[PowerFlag, ...] | None
    known: tuple[PowerFlag, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Readings:
    """Values that change from second to second; None for what the board does not offer."""

    temperature_c: float | None
    power: Power | None


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory and swap in bytes, from /proc/meminfo."""

    total: int
    available: int
    swap_total: int


def parse_temperature(text: str) -> float | None:
    """Return degrees Celsius from a thermal zone's millidegrees; None for an impossible value."""
    try:
        degrees_c = int(text.strip()) / 1000
    except ValueError:
        return None
    return degrees_c if _COLDEST_C <= degrees_c <= _HOTTEST_C else None


def parse_throttled(text: str) -> int | None:
    """Parse the firmware's bits, from sysfs ("50005", hex) or from vcgencmd ("throttled=0x50005")."""
    try:
        bits = int(text.strip().rpartition("=")[2], 16)
    except ValueError:
        return None
    return bits if 0 <= bits < 1 << 32 else None


def power_from_bits(bits: int, source: str) -> Power:
    """Return the documented bits by name; others are ignored."""
    return Power(
        now=tuple(flag for bit, flag in POWER_BITS.items() if bits >> bit & 1),
        since_boot=tuple(flag for bit, flag in POWER_BITS.items() if bits >> bit + _SINCE_BOOT & 1),
        known=tuple(POWER_BITS.values()),
        source=source,
    )


def parse_memory(text: str) -> Memory | None:
    """Parse /proc/meminfo; None if a line is missing."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isascii() and words[0].isdigit():
            found[name] = int(words[0]) * 1024
    names = ("MemTotal", "MemAvailable", "SwapTotal")
    return Memory(*(found[name] for name in names)) if all(name in found for name in names) else None


def parse_cpu_s(text: str, ticks_per_s: int) -> float | None:
    """Return the CPU seconds of a process, user and system, all threads, from its /proc/PID/stat."""
    # The process's name comes first and may hold anything, so fields are counted from the last closing bracket.
    fields = text.rpartition(")")[2].split()
    try:
        return (int(fields[11]) + int(fields[12])) / ticks_per_s
    except (IndexError, ValueError):
        return None


class Board:
    """The board's files and programs, read on each call. Used by one thread.

    Missing sources raise nothing. A `vcgencmd` that failed once is not called again.
    """

    def __init__(
        self,
        *,
        sysfs: Path = Path("/sys"),
        procfs: Path = Path("/proc"),
        run: Path = Path("/run"),
        path: str | None = None,
    ) -> None:
        """sysfs, procfs, run: the folders to read.

        path: the folders to search for programs, as in PATH; None for PATH itself, "" for none.
        """
        self._sysfs, self._procfs, self._run, self._path = sysfs, procfs, run, path
        self._vcgencmd = self._program("vcgencmd")

    def readings(self) -> Readings:
        """Read temperature and power, from files or by a call of vcgencmd (usually a few ms, at most 2 s)."""
        return Readings(self.temperature_c(), self.power())

    def temperature_c(self) -> float | None:
        """Return the processor's temperature if a zone is named after it (`cpu-thermal` on a Pi), else the first
        zone's."""
        zones = []
        for zone in _numbered(self._sysfs / "class/thermal", "thermal_zone"):
            degrees_c = parse_temperature(_text(zone / "temp") or "")
            if degrees_c is not None:
                zones.append((_zone_rank((_text(zone / "type") or "").lower()), degrees_c))
        return min(zones, key=lambda entry: entry[0])[1] if zones else None

    def power(self) -> Power | None:
        """Return the firmware's flags from sysfs; else the kernel's under-voltage alarm; else vcgencmd's flags."""
        # A Pi 5's node has an address in its name (soc@...:firmware), if its kernel offers the file at all.
        for place in ("soc*/*firmware", "*firmware"):
            for file in sorted(self._sysfs.glob(f"devices/platform/{place}/get_throttled")):
                bits = parse_throttled(_text(file) or "")
                if bits is not None:
                    return power_from_bits(bits, "sysfs")
        for sensor in _numbered(self._sysfs / "class/hwmon", "hwmon"):
            alarm = _text(sensor / "in0_lcrit_alarm")
            if _text(sensor / "name") == "rpi_volt" and alarm in ("0", "1"):
                return Power(("under-voltage",) if alarm == "1" else (), None, ("under-voltage",), "hwmon")
        return self._power_from_firmware()

    def _power_from_firmware(self) -> Power | None:
        if self._vcgencmd is None:
            return None
        bits = parse_throttled(_output([self._vcgencmd, "get_throttled"]) or "")
        if bits is None:
            self._vcgencmd = None
            return None
        return power_from_bits(bits, "vcgencmd")

    def model(self) -> str | None:
        """Return the board's name from the device tree, such as "Raspberry Pi 4 Model B Rev 1.4"."""
        return (_text(self._procfs / "device-tree/model") or "").replace("\0", "").strip() or None

    def processor(self) -> str | None:
        """Return the processor's name, or None if /proc/cpuinfo has none."""
        for line in (_text(self._procfs / "cpuinfo") or "").splitlines():
            if line.lower().startswith("model name") and ":" in line:
                return line.split(":", 1)[1].strip() or None
        return None

    def cpus(self) -> int:
        """Return the number of cores that this process may use."""
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def memory(self) -> Memory | None:
        """Return memory and swap."""
        return parse_memory(_text(self._procfs / "meminfo") or "")

    def cpu_s(self, pid: int) -> float | None:
        """Return the CPU seconds that a process and its threads have used; None once it has ended."""
        return parse_cpu_s(_text(self._procfs / str(pid) / "stat") or "", os.sysconf("SC_CLK_TCK"))

    def pss_bytes(self, pid: int) -> int | None:
        """Return the memory of a process, with its share of shared pages (PSS)."""
        for line in (_text(self._procfs / str(pid) / "smaps_rollup") or "").splitlines():
            words = line.split()
            if len(words) == 3 and words[0] == "Pss:" and words[1].isdigit():
                return int(words[1]) * 1024
        return None

    def clock_synchronized(self) -> bool | None:
        """Return True if the network has set the wall clock since boot."""
        if (self._run / "systemd/timesync/synchronized").exists():
            return True
        program = self._program("timedatectl")
        said = _output([program, "show", "--property=NTPSynchronized", "--value"]) if program else None
        return {"yes": True, "no": False}.get((said or "").strip())

    def _program(self, name: str) -> str | None:
        return shutil.which(name, path=self._path)


def _zone_rank(kind: str) -> int:
    """Return a rank, lowest first: the processor's own sensor, the chip's, any other."""
    if "cpu" in kind or "x86_pkg" in kind:
        return 0
    return 1 if "soc" in kind else 2


def _numbered(folder: Path, prefix: str) -> list[Path]:
    """Return folder/prefix0, prefix1, ... in the order of their numbers."""
    found = [path for path in folder.glob(f"{prefix}*") if path.name[len(prefix) :].isdecimal()]
    return sorted(found, key=lambda path: int(path.name[len(prefix) :]))


def _text(file: Path) -> str | None:
    """Return a small file's text; None if it cannot be read (sysfs also raises EIO, ENODATA and EAGAIN)."""
    try:
        return file.read_bytes().decode(errors="replace").strip()
    except OSError:
        return None


def _output(command: list[str]) -> str | None:
    """Return what a program prints; None if it fails or takes longer than 2 s."""
    program = command[0]
    # A program that hangs in a driver cannot be killed: SIGKILL waits for the driver. It is neither waited for, nor
    # started again while it is there.
    if (stuck := _stuck.get(program)) is not None:
        if stuck.poll() is None:
            return None
        del _stuck[program]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
    except OSError:
        return None
    try:
        said, _ = process.communicate(timeout=_COMMAND_S)
    except subprocess.TimeoutExpired:
        process.kill()
        _stuck[program] = process
        if process.stdout:
            process.stdout.close()
        return None
    return said if process.returncode == 0 else None

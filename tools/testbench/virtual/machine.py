"""A machine that lives from boot to boot: its disk stays, its power may fail at any moment.

Its clocks follow the instructions that it executes, a thousand million a second, which is about what a Pi does. So all
time limits in it hold however busy this machine is. While it has nothing to do, its time is this machine's.

qemu hands what the guest writes to the files of this machine, which does not lose its power: what the guest's programs
synced is there after a cut, and what was only in the guest's memory is gone. So this machine's own disk need not be
waited for (cache=unsafe): that would change nothing but how long the guest's syncs take, by the load of this machine.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import host
from virtual.agent import Agent, Answer
from virtual.qmp import Qmp

# What a device in the field has no use for, and each boot would take seconds to emulate: nobody logs in, no screen.
_MASKED = ("systemd-logind", "modprobe@drm", "modprobe@efi_pstore", "systemd-binfmt", "e2scrub_reap")
_KERNEL = (
    "root=/dev/vda ro panic=-1 quiet mitigations=off systemd.show_status=no "
    f"modprobe.blacklist=lpc_ich,iTCO_wdt,pcspkr {' '.join(f'systemd.mask={name}.service' for name in _MASKED)}"
)
# As boot.py explains: the emulator may panic a kernel that starts. panic=-1 then starts it anew.
_BOOT_S = 1800.0
_LONGEST_WAIT_S = 1800.0
_POLL_S = 0.2
_STICK = "stick"
_Connection = TypeVar("_Connection", Agent, Qmp)


@dataclass(frozen=True)
class _Board:
    """qemu's program for a processor, its board, and the console's name there.

    has_reset: whether the machine goes on after qemu's reset. qemu 7.2's `virt` boots, and stands still seconds later.
    """

    program: str
    words: tuple[str, ...]
    console: str
    has_reset: bool


# Without controllers that nothing hangs on.
_Q35 = "q35,sata=off,smbus=off,i8042=off"
# Nehalem has what NumPy's wheel needs (x86-64-v2), and not AVX2, which takes programs longer if it is emulated.
_BOARDS = {
    "amd64": _Board("qemu-system-x86_64", ("-machine", _Q35, "-cpu", "Nehalem"), "ttyS0", has_reset=True),
    "arm64": _Board("qemu-system-aarch64", ("-machine", "virt", "-cpu", "cortex-a72"), "ttyAMA0", has_reset=False),
}


class Machine:
    """The virtual device. A context manager, at whose end it is off.

    folder: for its disk and sockets. share: the folder below it that the machine has as /bench.
    """

    def __init__(self, image: Path, folder: Path, architecture: str, *, memory_mb: int = 512) -> None:
        """Copy the disk; nothing is started yet."""
        self._image, self._folder, self._memory_mb = image, folder, memory_mb
        self._board = _BOARDS[architecture]
        self.share = folder / "share"
        self.share.mkdir(exist_ok=True)
        self.console = folder / "console"
        self._qemu: subprocess.Popen[bytes] | None = None
        self._qmp: Qmp | None = None
        self._agent: Agent | None = None
        self._boot = ""
        self.starts = 0
        host.run(["cp", "--sparse=always", "--reflink=auto", image / "disk.img", folder / "disk.img"])

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None:
        if self._qemu is not None:
            self.cut()
        (self._folder / "disk.img").unlink()

    @property
    def panics(self) -> int:
        """How often a kernel of this machine has panicked so far."""
        return self.console.read_bytes().count(b"Kernel panic") if self.console.exists() else 0

    @property
    def has_reset(self) -> bool:
        """Return whether `reset` works on this board."""
        return self._board.has_reset

    def power_on(self) -> float:
        """Start the machine. Return how long it took until it takes orders, in seconds."""
        began_s = time.monotonic()
        for name in ("agent", "qmp"):
            (self._folder / name).unlink(missing_ok=True)
        with self.console.open("ab") as console:
            self._qemu = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT
            )
        self._agent = self._connect(Agent, "agent")
        self._qmp = self._connect(Qmp, "qmp")
        self._wait_for_boot()
        return time.monotonic() - began_s

    def reset(self) -> float:
        """Press the reset button. Return how long it took until the machine takes orders again, in seconds."""
        began_s = time.monotonic()
        self._monitor.do("system_reset")
        self._wait_for_boot()
        return time.monotonic() - began_s

    def cut(self) -> None:
        """Cut the power."""
        assert self._qemu is not None
        for connection in (self._agent, self._qmp):
            if connection is not None:
                connection.close()
        self._qemu.send_signal(signal.SIGKILL)
        self._qemu.wait()
        self._qemu = self._agent = self._qmp = None

    @property
    def uptime_s(self) -> float:
        """Return how long this boot is ago, in seconds of the machine's own clock."""
        return self.ask("").uptime_s

    def wait_until(self, holds: Callable[[], bool], within_s: float, what: str) -> float:
        """Wait until it holds. Return how long that took by the machine's clock, in seconds.

        Raises host.Failed after `within_s`, or if this machine is so busy that it takes longer than anyone would wait.
        """
        began_s, began_mono_s = self.uptime_s, time.monotonic()
        while not holds():
            took_s = self.uptime_s - began_s
            if took_s > within_s:
                raise host.Failed(f"{what}: not within {within_s:g} s")
            if time.monotonic() - began_mono_s > _LONGEST_WAIT_S:
                raise host.Failed(f"{what}: given up after {_LONGEST_WAIT_S:g} s, {took_s:.1f} s of the machine")
            time.sleep(_POLL_S)
        return self.uptime_s - began_s

    def run(self, script: str, *, timeout_s: float = 60.0) -> str:
        """Run a shell script as root; return its output. Raises host.Failed if it fails or takes too long."""
        answer = self.ask(script, timeout_s=timeout_s)
        if answer.status:
            shown = "\n".join((answer.output + answer.errors).splitlines()[-30:])
            raise host.Failed(f"status {answer.status} of: {script}\n{shown}")
        return answer.output.strip()

    def ask(self, script: str, *, timeout_s: float = 60.0) -> Answer:
        """Run a shell script as root; return what came of it."""
        if self._agent is None:
            raise host.Failed("the machine is off")
        return self._agent.run(script, timeout_s)

    def plug_in(self, stick: Path) -> None:
        """Plug a USB stick in: a file with its content."""
        self._monitor.do("blockdev-add", **{"driver": "raw", "node-name": _STICK, "file": _file(stick)})
        self._monitor.do("device_add", driver="usb-storage", id=_STICK, drive=_STICK, bus="usb.0")

    def pull_out(self) -> None:
        """Pull the USB stick, whatever is being written."""
        self._monitor.do("device_del", id=_STICK)
        until_mono_s = time.monotonic() + _BOOT_S
        while True:
            try:
                self._monitor.do("blockdev-del", **{"node-name": _STICK})
                return
            except host.Failed:  # qemu still takes the device away
                if time.monotonic() > until_mono_s:
                    raise
                time.sleep(_POLL_S)

    @property
    def _monitor(self) -> Qmp:
        if self._qmp is None:
            raise host.Failed("the machine is off")
        return self._qmp

    def _wait_for_boot(self) -> None:
        assert self._agent is not None
        try:
            self._boot = self._agent.wait_for_boot(self._boot, time.monotonic() + _BOOT_S)
        except (TimeoutError, host.Failed) as error:
            raise host.Failed(f"no boot within {_BOOT_S:g} s: {error}\n{self._end_of_console()}") from error
        self.starts += 1

    def _connect(self, kind: Callable[[Path], _Connection], name: str) -> _Connection:
        assert self._qemu is not None
        while True:
            try:
                return kind(self._folder / name)
            except OSError as error:
                if self._qemu.poll() is not None:
                    raise host.Failed(f"qemu ended with {self._qemu.returncode}:\n{self._end_of_console()}") from error
                time.sleep(_POLL_S)

    def _end_of_console(self) -> str:
        return "\n".join(self.console.read_text(errors="replace").splitlines()[-30:])

    def _command(self) -> list[str]:
        folder = os.path.relpath(self._folder)  # a socket's path has 107 bytes at most
        return [
            *(self._board.program, *self._board.words, "-accel", "tcg,thread=single,tb-size=512"),
            *("-icount", "shift=0", "-rtc", "clock=vm"),
            *("-smp", "1", "-m", str(self._memory_mb), "-nodefaults", "-display", "none", "-serial", "stdio"),
            *("-kernel", str(self._image / "vmlinuz"), "-initrd", str(self._image / "initrd")),
            *("-append", f"{_KERNEL} console={self._board.console}"),
            *("-drive", f"file={self._folder / 'disk.img'},format=raw,if=none,id=disk,cache=unsafe,discard=unmap"),
            *("-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci", "-device", "qemu-xhci,id=usb"),
            *("-qmp", f"unix:{folder}/qmp,server=on,wait=off"),
            *("-chardev", f"socket,path={folder}/agent,server=on,wait=off,id=agent"),
            *("-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=fieldfare.bench"),
            *("-virtfs", f"local,path={self.share},mount_tag=bench,security_model=none"),
        ]


def _file(path: Path) -> dict[str, str]:
    return {"driver": "file", "filename": str(path)}

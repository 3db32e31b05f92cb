"""The device's disk image, started under qemu. It emulates the processor: KVM is not to be had everywhere."""

import subprocess
from pathlib import Path

import host

_KERNEL = (
    "root=/dev/vda rw console=ttyS0 panic=-1 quiet mitigations=off fsck.mode=skip systemd.show_status=no "
    "fieldfare.bench"
)
# A kernel changes its own code while it starts, with both processors running. The emulator, whose processors are
# threads, may still serve the breakpoint that stood there meanwhile ("Oops: int3", seen once): not the product's.
_STARTS = 3


def boot(device: Path, bench: Path, *, timeout_s: float) -> int:
    """Start `device`, let it run /bench/run, which is `bench`/run here, and power off; the exit status of that.

    `bench`/log holds what it printed, `bench`/console what the kernel did. What the machine writes to its disk is
    lost. A kernel that panicked before it came to /bench/run is started again: see _STARTS."""
    for start in range(1, _STARTS + 1):
        _start(device, bench, timeout_s)
        if (bench / "status").exists():
            return int((bench / "status").read_text())
        if (bench / "log").exists() or not _panicked(bench / "console"):
            break
        host.say(f"the kernel panicked while it started, {start} of at most {_STARTS} times")
    raise host.Failed(f"the machine ended without a word:\n{_end_of(bench / 'console')}")


def _start(device: Path, bench: Path, timeout_s: float) -> None:
    """One run of the machine, until it is off. Raises host.Failed with the ends of both logs."""
    for name in ("status", "log"):
        (bench / name).unlink(missing_ok=True)
    with (bench / "console").open("wb") as console:
        try:
            subprocess.run(
                _command(device, bench),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=True,
            )
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
            raise host.Failed(f"{error}\n{_end_of(bench / 'log')}\n{_end_of(bench / 'console')}") from error


def _panicked(console: Path) -> bool:
    return b"Kernel panic" in console.read_bytes()


def _command(device: Path, bench: Path) -> list[str]:
    return [
        *("qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max"),
        *("-smp", "2", "-m", "2048", "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"),
        *("-kernel", str(device / "vmlinuz"), "-initrd", str(device / "initrd"), "-append", _KERNEL),
        *("-drive", f"file={device / 'disk.img'},format=raw,if=none,id=disk,snapshot=on"),
        *("-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci"),
        *("-virtfs", f"local,path={bench},mount_tag=bench,security_model=none"),
    ]


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-40:]) if log.exists() else ""

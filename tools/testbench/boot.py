"""Start the device's disk image under qemu. It emulates the processor, since KVM is not available everywhere."""

import subprocess
from pathlib import Path

import host

_KERNEL = (
    "root=/dev/vda rw console=ttyS0 panic=-1 quiet mitigations=off fsck.mode=skip systemd.show_status=no "
    "fieldfare.bench"
)
# A kernel changes its own code while it starts, with both processors running, and sets breakpoints meanwhile. The
# emulator, whose processors are threads, may run such a breakpoint too late ("Oops: int3", seen once). That is no fault
# of the product, so the machine is started again.
_STARTS = 3


def boot(device: Path, bench: Path, *, timeout_s: float) -> int:
    """Start `device`, which runs /bench/run (`bench`/run here) and powers off; return the exit status of `run`.

    `bench`/log holds what `run` printed, `bench`/console what the kernel printed. What the machine writes to its disk
    is lost. If the kernel panics before /bench/run starts, the machine is started again: see _STARTS.
    """
    for start in range(1, _STARTS + 1):
        _start(device, bench, timeout_s)
        if (bench / "status").exists():
            return int((bench / "status").read_text())
        if (bench / "log").exists() or not _panicked(bench / "console"):
            break
        host.say(f"the kernel panicked while it started, {start} of at most {_STARTS} times")
    raise host.Failed(f"the machine ended without a status:\n{_end_of(bench / 'console')}")


def _start(device: Path, bench: Path, timeout_s: float) -> None:
    """Run the machine until it is off. Raises host.Failed with the ends of both logs."""
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

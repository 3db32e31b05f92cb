"""The device's disk image, started under qemu. It emulates the processor: KVM is not to be had everywhere."""

import subprocess
from pathlib import Path

import host

_KERNEL = (
    "root=/dev/vda rw console=ttyS0 panic=-1 quiet mitigations=off fsck.mode=skip systemd.show_status=no "
    "fieldfare.bench"
)


def boot(device: Path, bench: Path, *, timeout_s: float) -> int:
    """Start `device`, let it run /bench/run, which is `bench`/run here, and power off; the exit status of that.

    `bench`/log holds what it printed, `bench`/console what the kernel did. What the machine writes to its disk is
    lost."""
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
    if not (bench / "status").exists():
        raise host.Failed(f"the machine ended without a word:\n{_end_of(bench / 'console')}")
    return int((bench / "status").read_text())


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

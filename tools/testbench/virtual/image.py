"""Build the bare system of the virtual device: Debian 13 with cameras, without Fieldfare and its packages.

picamera2 is where Debian's own packages are, as on Raspberry Pi OS: python3 can import it. Kernel module and picamera2
come from the device of the other tests (device.py), where they are compiled. So there is no compiler, no pip and no
python3-venv here.
"""

import shutil
import subprocess
from pathlib import Path

import cache
import debian
import device
import host

_RELEASE = "trixie"
_PACKAGES = (
    *("systemd-sysv", "udev", "dbus", "kmod", "initramfs-tools", "e2fsprogs", "passwd", "python3"),
    *("python3-numpy", "python3-pil", "python3-libcamera", "libcamera-ipa", "v4l-utils"),
)
# Distributions that picamera2 imports, as they are named in the folders of the device; the rest is Debian's.
_PICAMERA2 = (
    *("picamera2", "videodev2", "simplejpeg", "piexif", "pidng", "openexr", "av", "libarchive_c", "tqdm"),
    *("python_prctl", "jsonschema", "jsonschema_specifications", "referencing", "rpds_py", "attrs"),
)
_SYSTEMS_PACKAGES = "usr/lib/python3/dist-packages"
_FSTAB = """\
/dev/vda / ext4 defaults,noatime 0 1
bench /bench 9p trans=virtio,version=9p2000.L,msize=524288,x-systemd.after=systemd-modules-load.service 0 0
"""
# The disk's module is in a list, so nothing has to be found: without udev, the initramfs takes a third of the time.
_INITRAMFS_WITHOUT_UDEV = """
rm "$1"/usr/share/initramfs-tools/hooks/udev "$1"/usr/share/initramfs-tools/scripts/init-*/udev
"""
_NOT_NEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt/lists", "var/cache/apt")
_DISK_BYTES = 3 << 30
_FORMATS = Path("/proc/sys/fs/binfmt_misc")


def build(architecture: str = "amd64") -> Path:
    """Return the folder with `disk.img`, `vmlinuz` and `initrd`. The tree is not kept.

    architecture: as Debian names it. Only amd64 has picamera2 and vimc, which are compiled for it.
    """
    own = Path(__file__).read_text(), (cache.HERE / "guest" / "virtual" / "agent.service").read_text()
    if architecture == "amd64":
        host.require({**host.DEBIAN, **host.MACHINE})
        parts = device.build()
        return cache.built("bare", lambda place: _build(place, architecture, parts / "tree"), *own, parts.name)
    host.require({**host.DEBIAN, **host.MACHINE, **host.ARM, **host.ARM_MACHINE})
    return cache.built(f"bare_{architecture}", lambda place: _build(place, architecture, None), *own)


def _build(place: Path, architecture: str, parts: Path | None) -> None:
    tree = place / "tree"
    packages = (*_PACKAGES, f"linux-image-{architecture}")
    early, setup = device.EARLY_INITRAMFS, _INITRAMFS_WITHOUT_UDEV + device.SMALL_INITRAMFS
    if parts is None:
        _let_programs_run(architecture)
    debian.make(tree, _RELEASE, packages, variant="apt", architecture=architecture, early=early, setup=setup)
    if parts is not None:
        _take_picamera2(parts, tree)
        _take_vimc(parts, tree)
    _put_own_files(tree)
    for name in _NOT_NEEDED:
        shutil.rmtree(tree / name, ignore_errors=True)
    for name, found in (("vmlinuz", "vmlinuz-*"), ("initrd", "initrd.img-*")):
        shutil.copy(next((tree / "boot").glob(found)), place / name)
    _make_disk(tree, place / "disk.img")
    shutil.rmtree(tree)


def _let_programs_run(architecture: str) -> None:
    """Have the kernel run the programs of another processor by qemu, as Debian's package does on a whole system."""
    name = {"arm64": "qemu-aarch64"}[architecture]
    if not (_FORMATS / "register").exists():
        host.run(["mount", "-t", "binfmt_misc", "binfmt_misc", _FORMATS])
    if not (_FORMATS / name).exists():
        (_FORMATS / "register").write_text(Path(f"/usr/lib/binfmt.d/{name}.conf").read_text().strip())


def _take_picamera2(parts: Path, tree: Path) -> None:
    site = next((parts / "opt/fieldfare/lib").glob("python3.*")) / "site-packages"
    for name in _PICAMERA2:
        record = next(site.glob(f"{name}-*.dist-info")) / "RECORD"
        for line in record.read_text().splitlines():
            file = line.partition(",")[0]
            if not file.startswith("..") and "__pycache__" not in file:
                (tree / _SYSTEMS_PACKAGES / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(site / file, tree / _SYSTEMS_PACKAGES / file)
    shutil.copy(site / "pykms.py", tree / _SYSTEMS_PACKAGES)
    debian.shell(tree, "python3 -c 'import picamera2'")


def _take_vimc(parts: Path, tree: Path) -> None:
    module = next((parts / "lib/modules").glob("*/updates/vimc.ko"))
    kernel = module.parent.parent.name
    if not (tree / "lib/modules" / kernel).is_dir():
        raise host.Failed(f"Debian has a newer kernel than {kernel} meanwhile: delete {parts.parent}, and start again")
    (tree / "lib/modules" / kernel / "updates").mkdir()
    shutil.copy(module, tree / "lib/modules" / kernel / "updates")
    debian.shell(tree, f"depmod {kernel}")


def _put_own_files(tree: Path) -> None:
    guest = cache.HERE / "guest"
    shutil.copy(guest / "60-bench.rules", tree / "etc/udev/rules.d/60-bench.rules")
    shutil.copy(guest / "virtual" / "agent.service", tree / "etc/systemd/system/bench-agent.service")
    debian.shell(
        tree, "systemctl enable --quiet bench-agent && systemctl mask --quiet serial-getty@ttyS0 serial-getty@ttyAMA0"
    )
    (tree / "etc/modules-load.d/bench.conf").write_text("9pnet_virtio\nvirtio_console\n")
    # The name of the heap that picamera2 looks for.
    (tree / "etc/tmpfiles.d/bench.conf").write_text("L /dev/dma_heap/linux,cma - - - - system\n")
    (tree / "etc/fstab").write_text(_FSTAB)
    (tree / "etc/hostname").write_text("bare\n")
    (tree / "bench").mkdir()


def _make_disk(tree: Path, disk: Path) -> None:
    with disk.open("wb") as file:
        file.truncate(_DISK_BYTES)
    # With a journal, as on a card: this machine loses its power.
    ext4 = ["mke2fs", "-q", "-t", "ext4", "-J", "size=16", "-E", "lazy_itable_init=1", "-d", tree, disk]
    subprocess.run(ext4, check=True)

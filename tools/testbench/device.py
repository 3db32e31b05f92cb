"""Build a device: Debian 13 with systemd, libcamera, picamera2, vivid and vimc, as a folder and as a disk image."""

import shutil
import subprocess
from pathlib import Path

import cache
import debian
import host

PICAMERA2 = "picamera2==0.3.38"
_RELEASE = "trixie"
_PACKAGES = (
    *("systemd-sysv", "udev", "dbus", "kmod", "linux-image-amd64", "linux-headers-amd64", "initramfs-tools"),
    *("python3", "python3-venv", "python3-dev", "gcc", "libc6-dev", "libcap-dev", "make", "ca-certificates"),
    *("python3-libcamera", "libcamera-ipa", "v4l-utils", "psmisc"),
)
# Only the modules for a virtio disk: the whole initramfs takes a minute longer to make and to boot. The first one is
# made while the kernel's package is set up.
EARLY_INITRAMFS = """
mkdir -p "$1/etc/initramfs-tools/conf.d"
printf 'MODULES=list\\nCOMPRESS=gzip\\nFSTYPE=ext4\\n' >"$1/etc/initramfs-tools/conf.d/bench"
"""
SMALL_INITRAMFS = """
printf 'virtio_pci\\nvirtio_blk\\next4\\n' >>"$1/etc/initramfs-tools/modules"
chroot "$1" update-initramfs -u -k all
"""
# In the folder that README names.
_ENVIRONMENT = """
python3 -m venv --system-site-packages /opt/fieldfare
/opt/fieldfare/bin/pip install --quiet --no-cache-dir --requirement /tmp/requirements
"""
_HEAP_SHIM = "cc -O2 -Wall -Wextra -Werror -shared -fPIC -o /usr/local/lib/dma_heap.so /tmp/dma_heap.c"
_GET_LINUX_SOURCE = """
apt-get -qq update
cd /tmp
apt-get -qq download linux-source-$(ls /lib/modules | cut -d. -f1,2)
"""
_BUILD_VIMC = """
kernel=$(ls /lib/modules)
make -s -C /lib/modules/$kernel/build M=/tmp/vimc CONFIG_VIDEO_VIMC=m modules
install -D -m 644 /tmp/vimc/vimc.ko /lib/modules/$kernel/updates/vimc.ko
depmod $kernel
"""


def build() -> Path:
    """Return the folder with `tree`, `disk.img`, `vmlinuz` and `initrd`."""
    host.require({**host.DEBIAN, **host.MACHINE})
    return cache.built("device", _build, *cache.device_requirements())


def _build(place: Path) -> None:
    tree = place / "tree"
    debian.make(tree, _RELEASE, _PACKAGES, variant="apt", early=EARLY_INITRAMFS, setup=SMALL_INITRAMFS)
    host.say("Debian is unpacked")
    debian.lend_network(tree)
    _install_packages(tree)
    host.say("Python packages are installed")
    _build_vimc(tree)
    host.say("vimc is built")
    _put_guest_files(tree)
    shutil.rmtree(tree / "tmp")
    (tree / "tmp").mkdir(mode=0o1777)
    (tree / "tmp").chmod(0o1777)
    host.run(["chroot", tree, "sh", "-c", "rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb"])
    for name, found in (("vmlinuz", "vmlinuz-*"), ("initrd", "initrd.img-*")):
        shutil.copy(next((tree / "boot").glob(found)), place / name)
    _make_disk(tree, place / "disk.img")


def _install_packages(tree: Path) -> None:
    wanted = [PICAMERA2, "pytest", "pytest-timeout", *cache.device_requirements()]
    (tree / "tmp/requirements").write_text("\n".join(wanted) + "\n")
    debian.shell(tree, _ENVIRONMENT)


def _build_vimc(tree: Path) -> None:
    """Build and install the kernel module vimc."""
    # It is not in Debian's kernel, but its source is in the package of the kernel's source.
    debian.shell(tree, _GET_LINUX_SOURCE)
    package = next((tree / "tmp").glob("linux-source-*.deb"))
    unpack = (
        'dpkg-deb --fsys-tarfile "$1" | tar -xO --wildcards "./usr/src/linux-source-*.tar.xz" | xz -dc -T0 |'
        'tar -x -C "$2" --strip-components=4 --wildcards "*/drivers/media/test-drivers/vimc"'
    )
    host.run(["bash", "-o", "pipefail", "-ec", unpack, "unpack", package, tree / "tmp"])
    debian.shell(tree, _BUILD_VIMC)


def _put_guest_files(tree: Path) -> None:
    def put(name: str, place: str) -> None:
        (tree / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(cache.HERE / "guest" / name, tree / place)

    put("dma_heap.c", "tmp/dma_heap.c")
    debian.shell(tree, _HEAP_SHIM)
    site = next((tree / "opt/fieldfare/lib").glob("python3.*")).relative_to(tree) / "site-packages"
    put("pykms.py", str(site / "pykms.py"))
    put("virtual.yaml", "usr/share/libcamera/pipeline/virtual/virtual.yaml")
    put("60-bench.rules", "etc/udev/rules.d/60-bench.rules")
    put("bench-start", "usr/local/sbin/bench-start")
    put("bench.service", "etc/systemd/system/bench.service")
    debian.shell(tree, "systemctl enable --quiet bench.service && systemctl mask --quiet serial-getty@ttyS0.service")
    (tree / "etc/fstab").write_text("/dev/vda / ext4 defaults,noatime 0 0\n")


def _make_disk(tree: Path, disk: Path) -> None:
    with disk.open("wb") as file:
        file.truncate(4 << 30)
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-E", "lazy_itable_init=1", "-d", tree, disk], check=True
    )

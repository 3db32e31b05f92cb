"""What is installed, made ready by the host, and the one command that installs it."""

import shutil
import sys
from pathlib import Path

import cache
import host
import product
from virtual.machine import Machine

_PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--only-binary=:all:"]
_THERE = ["--python-version=3.13", "--implementation=cp", "--abi=cp313", "--abi=abi3", "--abi=none"]
_PLATFORMS = [f"--platform=manylinux_2_{minor}_x86_64" for minor in (17, 24, 27, 28, 31, 34)] + [
    "--platform=manylinux2014_x86_64"
]
_INSTALL = """
set -e
cd /bench/kit
python3 -m venv --without-pip --system-site-packages /opt/fieldfare
/opt/fieldfare/bin/python3 pip-*.whl/pip install --quiet --no-compile --no-index --no-deps --ignore-installed *.whl
cd systemd
install -D -m 644 fieldfare.sysusers /etc/sysusers.d/fieldfare.conf
install -D -m 644 60-fieldfare-coral.rules /etc/udev/rules.d/60-fieldfare-coral.rules
install -m 644 fieldfare.service fieldfare-outputs.service /etc/systemd/system/
install -D -m 644 ../fieldfare.toml /etc/fieldfare/fieldfare.toml
install -m 644 ../bundle.fieldfare /etc/fieldfare/bundle.fieldfare
systemd-sysusers
udevadm control --reload
udevadm trigger --settle
systemctl daemon-reload
systemctl enable --now fieldfare fieldfare-outputs
"""
_UNINSTALL = """
systemctl disable --now fieldfare fieldfare-outputs
rm -r /opt/fieldfare /etc/fieldfare /etc/systemd/system/fieldfare*
rm /etc/sysusers.d/fieldfare.conf /etc/udev/rules.d/60-fieldfare-coral.rules
systemctl daemon-reload
"""


def build(folder: Path, share: Path) -> None:
    """Put the kit, with the bundle and the settings of `folder`, on the share."""
    needs = [*cache.device_requirements(), "pip"]
    wheels = cache.built("wheels", lambda place: _download(needs, place), *needs)
    kit = shutil.copytree(wheels, share / "kit")
    product.wheel(kit)
    shutil.copytree(cache.ROOT / "systemd", kit / "systemd")
    for name in ("bundle.fieldfare", "fieldfare.toml"):
        shutil.copy(folder / name, kit)


def _download(needs: list[str], place: Path) -> None:
    host.run([*_PIP, *_THERE, *_PLATFORMS, "--dest", place, *needs])


def install(machine: Machine) -> str:
    """Install it by one command; return what that printed."""
    return machine.run(_INSTALL, timeout_s=600)


def uninstall(machine: Machine) -> str:
    """Uninstall it; return what that printed."""
    return machine.run(_UNINSTALL, timeout_s=240)

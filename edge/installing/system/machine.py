"""Look at the machine, and compare it with what a kit is for."""

import os
import platform
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from edge.errors import DataError, MissingPackageError, StorageError
from edge.installing.layout import Layout
from edge.installing.origins.kit import Kit
from edge.printable import printable

_OLDEST, _NEWEST = (3, 11), (3, 13)
_THIRTY_TWO = {"aarch64": "armv7l", "x86_64": "i686"}


@dataclass(frozen=True, slots=True)
class Machine:
    """What matters of a machine.

    uid: of this process. machine: as `uname -m` of the programs, which may be 32-bit ones under a 64-bit kernel.
    python: such as 3.13. os_id, os_release: ID and VERSION_ID of /etc/os-release.
    systemd: True if systemd runs it.
    """

    uid: int
    machine: str
    python: str
    os_id: str
    os_release: str
    systemd: bool


def look_at(layout: Layout) -> Machine:
    """Return what this machine is."""
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        system = {}
    machine = os.uname().machine
    if struct.calcsize("P") == 4:  # Raspberry Pi OS has a 64-bit kernel under 32-bit programs, too
        machine = _THIRTY_TWO.get(machine, machine)
    return Machine(
        uid=os.geteuid(),
        machine=machine,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        os_id=system.get("ID", "unknown"),
        os_release=system.get("VERSION_ID", "unknown"),
        systemd=Path(layout.root, "run/systemd/system").is_dir(),
    )


def check_rights(machine: Machine, command: str) -> None:
    """Raise StorageError unless this process is root's, and DataError without systemd."""
    if machine.uid != 0:
        raise StorageError(f"only root may do this, and this is user {machine.uid}: put sudo before it: {command}")
    if not machine.systemd:
        raise DataError("systemd does not run this machine (no /run/systemd/system): run this on the device itself")


def check_python(machine: Machine) -> None:
    """Raise MissingPackageError unless this Python can run Fieldfare at all."""
    version = tuple(int(part) for part in machine.python.split("."))
    if not _OLDEST <= version <= _NEWEST:
        raise MissingPackageError(
            f"Python {machine.python}: must be 3.11, 3.12 or 3.13, as Raspberry Pi OS 12 and 13 have"
        )


def check_fits(machine: Machine, kit: Kit) -> None:
    """Raise DataError unless the kit is for this machine."""
    remedy = f"build one with `fieldfare kit build --target` for it; this one is for {kit.target}"
    if machine.machine != kit.machine:
        raise DataError(f"the kit is for {kit.machine}, and this machine is {_shown(machine.machine)}: {remedy}")
    if machine.os_id not in kit.os_ids or machine.os_release != kit.os_release:
        raise DataError(
            f"the kit is for {' or '.join(kit.os_ids)} {kit.os_release}, and this system is {_shown(machine.os_id)} "
            f"{_shown(machine.os_release)}: {remedy}"
        )
    if machine.python != kit.python:
        raise DataError(
            f"the kit is for Python {kit.python}, and this is Python {machine.python}: run it with the system's own "
            f"/usr/bin/python3, or {remedy}"
        )


def _shown(text: str) -> str:
    return printable(text[:40])

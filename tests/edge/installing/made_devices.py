"""Small kits, and a device in a folder with stand-ins for its programs."""

import hashlib
import json
import os
import platform
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.installing.command import install, remove
from edge.installing.layout import Layout
from edge.installing.origins.kit import Entry, kit_id
from edge.installing.origins.kit_folder import KitFolder, Origin
from edge.installing.steps import Job
from edge.installing.system.machine import Machine
from edge.installing.system.programs import Outcome
from edge.installing.system.waiting import Clock

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
HERE = Machine(uid=0, machine=platform.machine(), python=PYTHON, os_id="debian", os_release="13", systemd=True)
UNIT = "[Service]\nExecStart=/usr/bin/env fieldfare run --service # {version}\n[Install]\nWantedBy=multi-user.target\n"


def files_of(version: str) -> dict[str, bytes]:
    """Return the files of a small kit."""
    return {
        "bundle.fieldfare": f"bundle of {version}".encode(),
        "fieldfare.toml": b'bundle = "/etc/fieldfare/bundle.fieldfare"\n',
        "requirements.txt": f"fieldfare=={version}\n".encode(),
        "systemd/fieldfare.service": UNIT.format(version=version).encode(),
        "systemd/fieldfare@.service": UNIT.format(version=version).encode(),
        "systemd/60-fieldfare-coral.rules": b"# rules\n",
        "systemd/fieldfare.sysusers": b'u fieldfare - "Fieldfare"\n',
        "systemd/network-camera.conf": b"[Service]\n",
        f"wheels/fieldfare-{version}-py3-none-any.whl": wheel({"edge/__init__.py": b"#" * 5000}),
        "wheels/pip-1-py3-none-any.whl": wheel({"pip/__init__.py": b""}),
    }


def wheel(members: Mapping[str, bytes]) -> bytes:
    """Return a zip."""
    import io

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def make_kit(
    folder: Path,
    version: str = "1.0",
    held: Mapping[str, bytes] | None = None,
    script: bytes | None = None,
    **changed: object,
) -> Path:
    """Write an unpacked kit for this machine. held: its files. script: its install.sh, if not the delivered one.
    changed: keys of kit.json that differ."""
    files = files_of(version) if held is None else held
    entries = {name: Entry(len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()}
    record = {
        "format": 1,
        "version": version,
        "id": kit_id(entries),
        "target": "trial",
        "machine": HERE.machine,
        "os_ids": ["debian"],
        "os_release": HERE.os_release,
        "python": PYTHON,
        "bundle": {"name": "birds", "id": "0123456789ab"},
        "needs": [],
        "files": {name: {"size": entry.size, "sha256": entry.sha256} for name, entry in entries.items()},
        **changed,
    }
    script = script or (Path(__file__).parents[3] / "edge/installing/install.sh").read_bytes()
    everything = {**files, "kit.json": json.dumps(record).encode(), "install.sh": script}
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(everything.items()))
    for name, data in {**everything, "SHA256SUMS": sums.encode()}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


class FrozenClock(Clock):
    """Time that passes only while one sleeps."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self.now_s = lambda: self._now_s
        self.sleep = self._pass

    def _pass(self, seconds: float) -> None:
        self._now_s += seconds


@dataclass
class StandIns:
    """Record the system's programs that are run, and do the little of their work that the installer looks at.

    refusals: the beginning of a command to what it fails with. status: what the service writes once it runs.
    """

    root: Path
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    status: dict[str, object] | None = field(
        default_factory=lambda: {"state": "running", "why": "", "last": {"label": "robin", "score": 0.93}}
    )
    properties: dict[str, str] = field(default_factory=lambda: {"ActiveState": "active", "SubState": "running"})
    packages: dict[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    starts: int = 0
    has_user: bool = False

    def run(self, words: Sequence[str], limit_s: float = 0.0) -> Outcome:
        """Run one, as Programs does."""
        line = " ".join(words).replace(str(self.root), "")
        self.ran.append(line)
        for beginning, (status, printed) in self.refusals.items():
            if beginning in line:
                return Outcome(status, printed)
        return self._done(words, line)

    def _done(self, words: Sequence[str], line: str) -> Outcome:
        if " -m venv " in line:
            (Path(words[-1]) / "bin").mkdir(parents=True)
            (Path(words[-1]) / "bin/python").write_text("#!")
            (Path(words[-1]) / "lib").mkdir()
            (Path(words[-1]) / "pyvenv.cfg").write_text("home = /usr/bin\n")
        elif "/pip " in line or " -m pip " in line:
            (Path(words[0]).parent / "fieldfare").write_text(f"#!{words[0]}\n")
        elif line.endswith("--version"):
            return Outcome(0, f"fieldfare, version {Path(words[0]).parents[2].name.rpartition('-')[0]}")
        elif words[0] == "systemctl":
            return self._systemctl(words[1], words[2:])
        elif words[0] in ("systemd-sysusers", "userdel"):
            self.has_user = words[0] == "systemd-sysusers"
        elif words[0] == "getent":
            return Outcome(0 if self.has_user else 2, "")
        elif words[0] == "dpkg-query":
            version = self.packages.get(words[-1])
            return Outcome(0, f"installed {version}") if version else Outcome(1, "no packages found")
        return Outcome(0, "")

    def _systemctl(self, verb: str, words: Sequence[str]) -> Outcome:
        wants = self.root / "etc/systemd/system/multi-user.target.wants"
        if verb == "enable":
            wants.mkdir(parents=True, exist_ok=True)
            if not (wants / words[-1]).is_symlink():
                (wants / words[-1]).symlink_to(f"../{words[-1]}")
        elif verb == "disable":
            for unit in words:
                (wants / unit).unlink(missing_ok=True)
        elif verb == "start":
            self.starts += 1
            self._write_status()
        elif verb == "show":
            found = {**self.properties, "MainPID": "77", "InvocationID": str(self.starts)}
            return Outcome(0, "".join(f"{key}={value}\n" for key, value in found.items()))
        return Outcome(0, "")

    def _write_status(self) -> None:
        if self.status is not None:
            place = self.root / "run/fieldfare"
            place.mkdir(parents=True, exist_ok=True)
            (place / "status.json").write_text(json.dumps({"pid": 77, **self.status}))


@dataclass
class Device:
    """A device in a folder."""

    root: Path
    programs: StandIns
    machine: Machine = HERE
    said: list[str] = field(default_factory=list)

    @property
    def layout(self) -> Layout:
        """Its places."""
        return Layout(self.root)

    @property
    def job(self) -> Job:
        """What the installer is given."""
        return Job(self.layout, self.machine, self.programs, self.said.append, owner=os.getuid(), clock=FrozenClock())

    def install(self, kit: Path | Origin, *, dry_run: bool = False) -> int:
        """Install a kit, and return the exit status."""
        self.said.clear()
        return install(self.job, KitFolder(kit) if isinstance(kit, Path) else kit, dry_run=dry_run)

    def uninstall(self, *, dry_run: bool = False) -> int:
        """Remove everything but the data."""
        self.said.clear()
        return remove(self.job, dry_run=dry_run)

    def tree(self) -> dict[str, str]:
        """Return all files and links: their content or target."""
        found = {}
        for place, folders, names in os.walk(self.root):
            for name in sorted([*folders, *names]):
                path = Path(place) / name
                if path.is_symlink():
                    found[str(path.relative_to(self.root))] = f"-> {path.readlink()}".replace(str(self.root), "")
                elif path.is_file():
                    found[str(path.relative_to(self.root))] = path.read_text(errors="replace")
        return found

    def text(self, path: str) -> str:
        """Return the content of a file."""
        return (self.root / path).read_text()


def make_device(root: Path) -> Device:
    """Return a device as Debian installs it."""
    for folder in ("opt", "etc/systemd/system", "etc/udev/rules.d", "etc/sysusers.d", "var/lib", "run", "proc/self"):
        (root / folder).mkdir(parents=True, mode=0o755)
    (root / "proc/self/mounts").write_text("/dev/mmcblk0p2 / ext4 rw 0 0\n")
    for place, folders, _ in os.walk(root):
        for folder in folders:
            (Path(place) / folder).chmod(0o755)
    return Device(root, StandIns(root))

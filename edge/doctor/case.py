"""The case to examine: the machine's folders, the user's settings and the services that run."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from edge.board import Board
from edge.config.loading import load_settings
from edge.config.settings import Settings
from edge.doctor.access import READ, WRITE, permits
from edge.doctor.children import Outcome, call, probe
from edge.doctor.sandbox import SERVICE
from edge.errors import FieldfareError
from edge.events.records import ClockQuality
from edge.events.wall_clock import WallClock
from edge.processes.process import Account
from edge.source_kind import source_kind

_LIST = [
    *("systemctl", "list-units", "--full", "--plain", "--no-legend", "--no-pager"),
    *("--type=service", "--state=active,activating", f"{SERVICE}.service", f"{SERVICE}@*"),
]


class Probe(Protocol):
    """The signature of children.probe; tests pass their own."""

    def __call__(self, name: str, arguments: Sequence[Any], timeout_s: float) -> Outcome:
        """Call a function of edge.doctor.probe, as children.probe does."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A running service.

    name: `fieldfare`, or the instance `fieldfare@NAME`
    sub_state: systemd's, such as "running"
    settings: None if they are not known, so that it may use everything
    """

    name: str
    sub_state: str
    settings: Settings | None


@dataclass(frozen=True)
class Case:
    """What the checks look at.

    settings: from the file, or from --bundle and --source; None without either, or if the file is wrong
    settings_from: the name of the file
    settings_error: what is wrong with it
    bundle: the bundle's folder
    sysfs, dev, etc, proc: folders of the system; tests pass their own
    board: the machine
    account: the service's user; None if it is not known. For root, its permissions count
    probe: calls a function of edge.doctor.probe in a child
    call: runs a program of the system
    clock_quality: returns how far the wall clock can be trusted
    child_s: seconds for a child
    patience_s: most seconds to wait for a camera, whatever its settings allow
    delegate_s: seconds for the Edge TPU's library to load
    edgetpu_s: seconds for the golden inputs on the Edge TPU
    """

    settings: Settings | None = None
    settings_from: str | None = None
    settings_error: str | None = None
    bundle: str | None = None
    sysfs: Path = Path("/sys")
    dev: Path = Path("/dev")
    etc: Path = Path("/etc")
    proc: Path = Path("/proc")
    board: Board = field(default_factory=Board)
    account: Account | None = None
    probe: Probe = probe
    call: Callable[[list[str]], str | None] = call
    clock_quality: Callable[[], ClockQuality] = lambda: WallClock().look().quality
    # Children run side by side. Only the two of the Edge TPU run one after the other, so only their times add up.
    child_s: float = 15.0
    patience_s: float = 30.0
    delegate_s: float = 7.0
    edgetpu_s: float = 9.0

    @property
    def who(self) -> str:
        """The user whom may_use judges, in words."""
        return self.account.name if self.account is not None and os.geteuid() == 0 else "this user"

    def may_use(self, node: Path) -> bool:
        """Return whether this user may read and write a device; if it is root, whether the service's may."""
        if self.account is not None and os.geteuid() == 0:
            return permits(node, self.account, READ | WRITE)
        return os.access(node, os.R_OK | os.W_OK)

    def units(self) -> list[Unit]:
        """Return the services that run, as systemd lists them; none if it does not answer."""
        line = rf"^[^\w\n]*({SERVICE}(?:@\S+)?)\.service\s+\S+\s+\S+\s+(\S+)"
        found = re.findall(line, self.call(_LIST) or "", re.MULTILINE)
        return [Unit(name, sub_state, self._settings_of(name)) for name, sub_state in found]

    def _settings_of(self, unit: str) -> Settings | None:
        """Read an instance's settings from the file that fieldfare@.service names; None for `fieldfare` itself."""
        instance = unit.partition("@")[2]
        try:
            return load_settings(self.etc / "fieldfare" / f"{instance}.toml") if instance else None
        except FieldfareError:
            return None

    def camera_in_use(self, source: str) -> str | None:
        """Return why a camera must not be opened: a running service uses it. None if it can be tried."""
        if source_kind(source) not in ("picamera2", "v4l2"):
            return None
        mine = self._camera(source)
        return self._in_use(lambda theirs: self._camera(theirs.camera.source) == mine)

    def edgetpu_in_use(self) -> str | None:
        """Return why the Edge TPU must not be opened, as camera_in_use does. Several count as one."""
        return self._in_use(lambda theirs: theirs.engine.device != "cpu")

    def _in_use(self, uses: Callable[[Settings], bool]) -> str | None:
        users, names = [], []
        for unit in self.units():
            if unit.sub_state.startswith("auto-restart"):  # ended, and waits for its next start
                continue
            if unit.settings is None or uses(unit.settings):
                unread = unit.settings is None and unit.name != SERVICE
                users.append(f"{unit.name} (perhaps: its settings cannot be read)" if unread else unit.name)
                names.append(unit.name)
        if not names:
            return None
        return f"in use by {' and '.join(users)}: sudo systemctl stop {' '.join(names)}, then try again"

    def _camera(self, source: str) -> str:
        """Return one name for a camera that has several: picamera2 is picamera2:0, and a link in /dev is its target."""
        if source.startswith("/dev/"):
            return os.path.realpath(self.dev / source.removeprefix("/dev/").lstrip("/"))
        kind, _, number = source.partition(":")
        return f"{kind}:{number.lstrip('0') or '0'}"

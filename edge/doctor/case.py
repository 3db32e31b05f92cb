"""What is examined: the machine's roots and what the user named."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from edge.board import Board
from edge.config import Settings, load_settings
from edge.doctor.children import Outcome, call, probe
from edge.errors import FieldfareError
from edge.source_kind import source_kind

SERVICE = "fieldfare"
_LIST = [
    *("systemctl", "list-units", "--full", "--plain", "--no-legend", "--no-pager"),
    *("--type=service", "--state=active,activating", f"{SERVICE}.service", f"{SERVICE}@*"),
]


class Ask(Protocol):
    """children.probe, or what a test puts in its place."""

    def __call__(self, name: str, arguments: object, timeout_s: float) -> Outcome:
        """As children.probe."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A service that runs: `fieldfare`, or the instance `fieldfare@NAME`. settings: None where they are not
    known, so that it may use everything."""

    name: str
    sub_state: str
    settings: Settings | None


@dataclass(frozen=True)
class Case:
    """settings: of the file, or of --bundle and --source; None where neither says anything or the file is
    wrong, which settings_error then tells. The roots are for tests."""

    settings: Settings | None = None
    settings_from: str | None = None
    settings_error: str | None = None
    bundle: str | None = None
    sysfs: Path = Path("/sys")
    dev: Path = Path("/dev")
    etc: Path = Path("/etc")
    board: Board = field(default_factory=Board)
    ask: Ask = probe
    call: Callable[[list[str]], str | None] = call
    # Children run side by side, so these are not added up, but for the two of the Edge TPU.
    child_s: float = 15.0
    patience_s: float = 30.0  # more than that is not waited for a camera, whatever its settings allow
    delegate_s: float = 7.0
    edgetpu_s: float = 9.0

    def may_use(self, node: Path) -> bool:
        """May this user read and write a device?"""
        return os.access(node, os.R_OK | os.W_OK)

    def units(self) -> list[Unit]:
        """The services that run, as systemd lists them; none where it does not answer."""
        line = rf"^[^\w\n]*({SERVICE}(?:@\S+)?)\.service\s+\S+\s+\S+\s+(\S+)"
        found = re.findall(line, self.call(_LIST) or "", re.MULTILINE)
        return [Unit(name, sub_state, self._settings_of(name)) for name, sub_state in found]

    def _settings_of(self, unit: str) -> Settings | None:
        """Of an instance, from the file that fieldfare@.service names. `fieldfare` may use everything."""
        instance = unit.partition("@")[2]
        try:
            return load_settings(self.etc / "fieldfare" / f"{instance}.toml") if instance else None
        except FieldfareError:
            return None

    def camera_in_use(self, source: str) -> str | None:
        """Why a camera is to be left alone: a service that runs uses it. None: it can be tried."""
        if source_kind(source) not in ("picamera2", "v4l2"):
            return None
        mine = self._camera(source)
        return self._in_use(lambda theirs: self._camera(theirs.camera.source) == mine)

    def edgetpu_in_use(self) -> str | None:
        """As camera_in_use, for Edge TPUs: which one of several it is, is not told apart."""
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
        return f"in use by {' and '.join(users)}: sudo systemctl stop {' '.join(names)}, then ask again"

    def _camera(self, source: str) -> str:
        """One name for what has several: picamera2 is picamera2:0, and a link in /dev is what it leads to."""
        if source.startswith("/dev/"):
            return os.path.realpath(self.dev / source.removeprefix("/dev/").lstrip("/"))
        kind, _, number = source.partition(":")
        return f"{kind}:{number.lstrip('0') or '0'}"

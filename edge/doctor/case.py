"""What is examined: the machine's roots and what the user named."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from edge.board import Board
from edge.config import Settings
from edge.doctor.children import Outcome, probe

SERVICE = "fieldfare"


class Ask(Protocol):
    """children.probe, or what a test puts in its place."""

    def __call__(self, name: str, arguments: object, timeout_s: float) -> Outcome:
        """As children.probe."""


def call(command: list[str]) -> str | None:
    """What a program of the system prints; None where it is not there, fails or takes longer than 3 s."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=3,
            check=False,
            encoding="utf-8",
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


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
    delegate_s: float = 7.0
    edgetpu_s: float = 9.0

    def may_use(self, node: Path) -> bool:
        """May this user read and write a device?"""
        return os.access(node, os.R_OK | os.W_OK)

    def service_holds(self) -> bool:
        """Is the service running, and so holding camera and Edge TPU?"""
        return (self.call(["systemctl", "is-active", SERVICE]) or "").strip() in ("active", "activating")

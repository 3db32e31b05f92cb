"""Request a reboot: within a budget that outlives it, through a file that a small privileged unit waits for.

The service itself may not reboot. systemd/fieldfare-reboot.path sees the request and starts
fieldfare-reboot.service, which does.
"""

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.supervision.recovery import RebootBudget

_log = logging.getLogger(__name__)

REQUEST = "reboot-request"
RECORD = "reboots.json"
# Enough for any budget a day, and a file of some kilobytes.
_KEPT = 100


class Reboot(msgspec.Struct, frozen=True):
    """One reboot that was requested."""

    wall_s: float
    why: str


@dataclass(frozen=True, slots=True)
class RebootHook:
    """Records reboots and requests them.

    state: the folder that outlives a reboot.
    run: the folder in which the unit looks for the request.
    a_day: how many are allowed in 24 hours.
    """

    state: Path
    run: Path
    a_day: int

    @classmethod
    def at(cls, state: Path | None, run: Path | None, a_day: int) -> "RebootHook | None":
        """Return a hook, None without both folders."""
        return cls(state, run, a_day) if state and run else None

    def request(self, why: str) -> bool:
        """Record a reboot, then request it; False, with an error in the log, if the budget is spent or either cannot
        be written."""
        # In this order: a board whose record cannot be written would otherwise reboot for ever.
        try:
            past = self._past()
            if not RebootBudget(self.a_day, [reboot.wall_s for reboot in past]).allows(time.time()):
                _log.error("no reboot: %d in 24 hours were tried already (recovery.reboots_a_day)", self.a_day)
                return False
            self._record([*past, Reboot(time.time(), why)][-_KEPT:])
            (self.run / REQUEST).write_text(f"{why}\n")
        except OSError as error:
            _log.error("no reboot: %s: %s", error.filename, error.strerror or error)
            return False
        _log.error("requested a reboot: %s", why)
        return True

    def _past(self) -> list[Reboot]:
        try:
            return msgspec.json.decode((self.state / RECORD).read_bytes(), type=list[Reboot])
        except FileNotFoundError:
            return []
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # Torn by a power cut. One counts as used, or a record that is torn each time would lift the limit.
            _log.warning("%s: %s: begun anew", self.state / RECORD, error)
            return [Reboot(time.time(), "record was damaged")]

    def _record(self, reboots: list[Reboot]) -> None:
        partial = self.state / f".{RECORD}.partial"
        with partial.open("wb") as stream:
            stream.write(msgspec.json.encode(reboots))
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(self.state / RECORD)
        # The new name, too, must be on the card before the board goes down.
        folder = os.open(self.state, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

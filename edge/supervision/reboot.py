"""Request a reboot: within a budget that outlives it, through a file that a small unit waits for.

The service itself may not reboot. systemd/fieldfare-reboot.path sees the request and starts
fieldfare-reboot.service, which removes it; then fieldfare-reboot-now.service reboots, as root, within a budget of its
own (edge.supervision.reboot_grant).
"""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.decoding import DecodingError, decode_json
from edge.storage import read_bounded, replace_file
from edge.supervision.recovery import RebootBudget
from edge.supervision.systemd import RECORD, REQUEST

_log = logging.getLogger(__name__)

# Enough for any budget a day, and a file of some kilobytes.
_KEPT = 100
_MAX_BYTES = 1 << 20


class Reboot(msgspec.Struct, frozen=True):
    """One reboot that was requested."""

    wall_s: float
    why: str


@dataclass(frozen=True, slots=True)
class RebootRecord:
    """The reboots of a budget, in a file on the card.

    folder: what the file is in; it outlives a reboot
    a_day: how many are allowed in 24 hours
    """

    folder: Path
    a_day: int

    def spend(self, why: str) -> bool:
        """Record one reboot more, on the card before this returns; False if the budget is spent. Raises OSError."""
        past = self._past()
        if not RebootBudget(self.a_day, [reboot.wall_s for reboot in past]).allows(time.time()):
            return False
        data = msgspec.json.encode([*past, Reboot(time.time(), why)][-_KEPT:])
        replace_file(self.folder / RECORD, data, 0o640, synced=True)
        return True

    def _past(self) -> list[Reboot]:
        try:
            return decode_json(read_bounded(self.folder / RECORD, _MAX_BYTES, follow=False), list[Reboot])
        except FileNotFoundError:
            return []
        except DecodingError as error:
            # Torn by a power cut. One counts as used, or a record that is torn each time would lift the limit.
            _log.warning("%s: %s: begun anew", self.folder / RECORD, error)
            return [Reboot(time.time(), "record was damaged")]


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
            if not RebootRecord(self.state, self.a_day).spend(why):
                _log.error("no reboot: %d in 24 hours were tried already (recovery.reboots_a_day)", self.a_day)
                return False
            replace_file(self.run / REQUEST, f"{why}\n".encode(errors="replace"), 0o640, synced=False)
        except OSError as error:
            _log.error("no reboot: %s: %s", error.filename, error.strerror or error)
            return False
        _log.error("requested a reboot: %s", why)
        return True

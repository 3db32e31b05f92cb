"""Rest when that is ordered: keep everything, then have the power switched off if the settings want that.

There are two orders: a file that `fieldfare device sleep` leaves, and a power supply that announces its end. Both can
be taken back, and then the service goes on. So it does not end: systemd would start it again at once.
"""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from edge.processes.side_jobs import SideJobs
from edge.storage import replace_file
from edge.supervision.systemd import POWEROFF, SLEEP

if TYPE_CHECKING:
    from edge.supervision.resting.watch import PowerWatch

_log = logging.getLogger(__name__)

_SYNC_JOB = "writing what the system holds back"
# A stick of the slowest kind writes 50 MB in 20 s; what hangs longer hangs in the kernel.
_SYNC_S = 60.0
# After one that failed.
_AGAIN_S = 10.0


class Rest:
    """Whether to rest, and how far that has come. Used by one thread."""

    def __init__(self, run: Path | None, jobs: SideJobs, power: "PowerWatch | None", *, off: bool) -> None:
        """run: the folder in which orders are left; None: there are none. power: None if no supply is watched. off: at
        the end of the supply, have the system switched off."""
        self._run, self._jobs, self._power, self._off = run, jobs, power, off
        self._synced = self._requested = False
        self._next_s = float("-inf")

    def why(self) -> str | None:
        """Return why the service must rest; None if it must not."""
        # /run is in memory: this look never waits for a disk. Whatever is there is an order, as only root and the
        # service's user can put it there, and a service that rests in vain does no harm.
        if self._run is not None and os.path.lexists(self._run / SLEEP):
            return "ordered by `fieldfare device sleep`"
        if self._power is not None and self._power.failing:
            return "the power supply announces its end"
        return None

    def is_complete(self, now: float, *, all_kept: bool) -> bool:
        """Return True once everything is on the disk, results and the status of outputs, too. all_kept: events are, and
        nothing writes any more."""
        if not all_kept:
            self._synced = self._requested = False
            return False
        if not self._synced and not self._jobs.runs(_SYNC_JOB) and now >= self._next_s:
            # In a process of its own: it may wait for a dying card for ever.
            self._next_s = now + _AGAIN_S
            self._jobs.start(_SYNC_JOB, "edge.power.sync", [], _SYNC_S)
        if self._synced:
            self._request_off()
        return self._synced

    def ended(self, job: str, status: int | None) -> None:
        """Take the end of a side job, as SideJobs.finished gives it."""
        if job == _SYNC_JOB:
            self._synced = status == 0

    def _request_off(self) -> None:
        failing = self._power is not None and self._power.failing
        if not (self._off and failing) or self._requested or self._run is None:
            return
        self._requested = True
        try:
            replace_file(self._run / POWEROFF, b"the power supply announces its end\n", 0o640, synced=False)
        except OSError as error:
            _log.error("no power-off: %s: %s", error.filename, error.strerror or error)
            return
        _log.warning("requested to power off")

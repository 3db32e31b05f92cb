"""What the supervisor tells of itself: to the log, to systemd and to the status file."""

import logging
import time

from edge.supervision.status import State, Status, StatusFile
from edge.supervision.systemd import SystemdNotifier
from edge.supervision.throughput import Tally

_log = logging.getLogger(__name__)

_EVERY_S = 2.0


class Announcer:
    """Tells of `status`, which the supervisor keeps, whenever its state changes and every two seconds anyway.
    Used by one thread."""

    def __init__(self, status: Status, tally: Tally, file: StatusFile, notifier: SystemdNotifier) -> None:
        self._status, self._tally, self._file, self._notifier = status, tally, file, notifier
        self._next_s = 0.0

    def set(self, state: State, why: str) -> None:
        """Enter a state, or stay in it for another reason."""
        status = self._status
        if (status.state, status.why) == (state, why):
            return
        if status.state != state:
            status.since_wall_s, status.since_mono_s = time.time(), time.monotonic()
            if state in ("running", "degraded", "recovering"):
                _log.log(logging.INFO if state == "running" else logging.WARNING, "%s: %s", state, why)
        status.state, status.why = state, why
        self.write()

    def refresh(self, now: float) -> None:
        """Write the status file where that is due; now: monotonic."""
        if now >= self._next_s:
            self.write()

    def write(self) -> None:
        """Write the status file."""
        self._next_s = time.monotonic() + _EVERY_S
        ended = self._status.state in ("stopped", "failed")
        self._status.fps = 0.0 if ended else round(self._tally.recent_fps(), 2)
        self._file.write(self._status)

    def ready(self) -> None:
        """As SystemdNotifier.ready."""
        self._notifier.ready(self._words)

    def alive(self) -> None:
        """As SystemdNotifier.alive."""
        self._notifier.alive(self._words)

    def stopping(self) -> None:
        """As SystemdNotifier.stopping."""
        self._notifier.stopping()

    def _words(self) -> str:
        status = self._status
        seen = f", last {status.last.label} {status.last.score:.2f}" if status.last else ""
        if status.state == "running":
            return f"running, {status.fps:.1f} frames/s{seen}"
        return " ".join(f"{status.state}: {status.why}{seen}".split())  # systemd takes one line

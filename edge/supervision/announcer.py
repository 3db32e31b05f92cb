"""Report the state of the service: to the log, to systemd and to the status file."""

import logging
import time

from edge.printable import one_line
from edge.processes.messages import Started
from edge.supervision.status import State, Status, StatusFile
from edge.supervision.systemd import SystemdNotifier
from edge.supervision.throughput import Rate, Tally

_log = logging.getLogger(__name__)

# `fieldfare status` believes a file for 15 s (STALE_S): several writes may be late.
_EVERY_S = 2.0


class Announcer:
    """Reports `status`, which the supervisor keeps, when its state changes, and every two seconds anyway.
    Used by one thread."""

    def __init__(self, status: Status, tally: Tally, file: StatusFile, notifier: SystemdNotifier) -> None:
        self._status, self._tally, self._file, self._notifier = status, tally, file, notifier
        self._looks = Rate()
        self._next_s = 0.0
        self._last_fault: str | None = None

    def set(self, state: State, why: str) -> None:
        """Enter a state, or stay in it for another reason."""
        why = one_line(why)  # it may quote anything, and stands in the status file
        status = self._status
        if (status.state, status.why) == (state, why):
            return
        if status.state != state:
            status.since_wall_s, status.since_mono_s = time.time(), time.monotonic()
            if state in ("running", "degraded", "recovering"):
                # That it is well again belongs to what went wrong: `journalctl -p warning` shows both.
                is_news = state != "running" or status.state != "starting"
                _log.log(logging.WARNING if is_news else logging.INFO, "%s: %s", state, why)
        status.state, status.why = state, why
        self.write()

    def started(self, started: Started) -> None:
        """Note and log what a worker opened."""
        status = self._status
        known = status.bundle == started.bundle
        status.bundle, status.bundle_name = started.bundle, started.name
        status.engine, status.source = started.engine, started.source
        # A camera that is opened again once a second starts each time: that is no news.
        _log.log(
            logging.DEBUG if known and started.accelerator == "none" else logging.INFO,
            "bundle %s (%s, %d classes), %s, %s",
            started.bundle,
            started.name,
            started.classes,
            started.engine,
            started.source,
        )

    def fault(self, why: str, details: str = "") -> None:
        """Log a fault. details: what to add to it."""
        # A dead camera is tried once a second: the same reason again is of no news, and a card is small.
        level = logging.DEBUG if why == self._last_fault else logging.WARNING
        self._last_fault = why
        _log.log(level, "%s%s", why, details)

    def is_well(self) -> None:
        """Forget the last fault, so that the same one is logged again."""
        self._last_fault = None

    def refresh(self, now: float) -> None:
        """Write the status file if it is due; now: monotonic."""
        if now >= self._next_s:
            self.write()

    def write(self) -> None:
        """Write the status file."""
        self._next_s = time.monotonic() + _EVERY_S
        status = self._status
        ended = status.state in ("stopped", "failed")
        status.fps = 0.0 if ended else round(self._tally.recent_fps(), 2)
        status.looked_at_fps = 0.0 if ended else round(self._looks.of(status.counts.looked_at), 2)
        self._file.write(status)

    def ready(self) -> None:
        """Call SystemdNotifier.ready."""
        self._notifier.ready(self._words)

    def alive(self) -> None:
        """Call SystemdNotifier.alive."""
        self._notifier.alive(self._words)

    def stopping(self) -> None:
        """Call SystemdNotifier.stopping."""
        self._notifier.stopping()

    def _words(self) -> str:
        status = self._status
        seen = f", last {status.last.label} {status.last.score:.2f}" if status.last else ""
        if status.state != "running":
            return f"{status.state}: {status.why}{seen}"
        # With a gate, few or no results are no fault: "0.0 frames/s" would look like one.
        if status.counts.turned_away:
            return f"running, {status.looked_at_fps:.1f} frames/s looked at, {status.fps:.1f} classified{seen}"
        return f"running, {status.fps:.1f} frames/s{seen}"

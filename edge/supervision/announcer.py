"""Report the state of the service: to the log, to systemd and to the status file."""

import logging
import re
import time
from dataclasses import dataclass

from edge.printable import counted, one_line
from edge.processes.messages import Started
from edge.supervision.status import Reloaded, State, Status, StatusFile
from edge.supervision.systemd import SystemdNotifier
from edge.supervision.throughput import Rate, Tally

_log = logging.getLogger(__name__)

# `fieldfare status` believes a file for 15 s (STALE_S): several writes may be late.
_EVERY_S = 2.0

# After these seconds a fault that has come again is logged again; the last value stays.
_AGAIN_AFTER_S = (60.0, 1800.0, 3600.0)
# A fault that has stayed away for so long is news.
_FORGOTTEN_AFTER_S = 7200.0
# So many faults at once, and one more after each such time: for those that are news, and for those that came again. A
# fault costs two lines or three, so a camera that fails in whatever rhythm costs 10 lines an hour.
_NEWS, _NEWS_EVERY_S = 4, 3600.0
_AGAIN, _AGAIN_EVERY_S = 2, 1800.0
_MOST_KNOWN = 64


@dataclass(slots=True)
class _Allowance:
    """At most `most` at once, and one more after each `every_s`."""

    most: float
    every_s: float
    left: float
    seen_s: float

    def takes(self, now_s: float) -> bool:
        """Take one, if there is one left."""
        self.left = min(self.most, self.left + (now_s - self.seen_s) / self.every_s)
        self.seen_s = now_s
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass(slots=True)
class _Known:
    """A fault that was there before.

    logged: how often it was logged. left_out: how often it was not, since the last time that it was.
    """

    logged_s: float
    seen_s: float
    logged: int = 0
    left_out: int = 0


class Repeats:
    """Which faults are logged: each as news, and then at growing intervals with a count. Pure; `now_s` is monotonic.

    A camera that fails and recovers in a rhythm could else write a million lines a day to an SD card.
    """

    def __init__(self, now_s: float) -> None:
        self._known: dict[str, _Known] = {}
        self._news = _Allowance(_NEWS, _NEWS_EVERY_S, _NEWS, now_s)
        self._again = _Allowance(_AGAIN, _AGAIN_EVERY_S, _AGAIN, now_s)

    def words(self, why: str, now_s: float) -> str | None:
        """Note a fault; return what to add to it in the log, None if it must not be logged."""
        key = re.sub(r"[0-9]+", "#", why)  # numbers in it may differ each time
        known = self._known.pop(key, None)
        if known is None or now_s - known.seen_s > _FORGOTTEN_AFTER_S:
            known = _Known(float("-inf"), now_s)
        self._known[key] = known  # the last one is the one seen last
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        known.seen_s = now_s
        wait_s = _AGAIN_AFTER_S[min(known.logged, len(_AGAIN_AFTER_S)) - 1] if known.logged else 0.0
        allowance = self._again if known.logged else self._news
        if now_s - known.logged_s < wait_s or not (allowance.takes(now_s) or self._again.takes(now_s)):
            known.left_out += 1
            return None
        since = f" in {(now_s - known.logged_s) / 60:.0f} min" if known.logged else ""
        words = f" ({counted(known.left_out, 'time')} more{since}, not logged)" if known.left_out else ""
        known.logged, known.logged_s, known.left_out = known.logged + 1, now_s, 0
        return words


class Announcer:
    """Reports `status`, which the supervisor keeps, when its state changes, and every two seconds anyway.
    Used by one thread."""

    def __init__(self, status: Status, tally: Tally, file: StatusFile, notifier: SystemdNotifier) -> None:
        self._status, self._tally, self._file, self._notifier = status, tally, file, notifier
        self._looks = Rate()
        self._next_s = 0.0
        self._repeats = Repeats(time.monotonic())
        self._last_fault: str | None = None
        self._logs_this = True  # what is wrong now is in the log, and so its end must be
        self._started: tuple[str, str, str] | None = None

    def set(self, state: State, why: str) -> None:
        """Enter a state, or stay in it for another reason."""
        why = one_line(why)  # it may quote anything, and stands in the status file
        status = self._status
        if (status.state, status.why) == (state, why):
            return
        if status.state != state:
            status.since_wall_s, status.since_mono_s = time.time(), time.monotonic()
            self._log_state(state, why)
        status.state, status.why = state, why
        self.write()

    def started(self, started: Started) -> None:
        """Note and log what a worker opened."""
        status = self._status
        opened = (started.bundle, started.engine, started.accelerator)
        known, self._started = opened == self._started, opened
        status.bundle, status.bundle_name = started.bundle, started.name
        status.engine, status.source = started.engine, started.source
        # A camera that is opened again once a second starts each time: that is no news.
        _log.log(
            logging.DEBUG if known else logging.INFO,
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
        self._last_fault = why
        if (more := self._repeats.words(why, time.monotonic())) is None:
            _log.debug("%s%s", why, details)
            return
        self._logs_this = True
        _log.warning("%s%s%s", why, details, more)

    def is_well(self) -> None:
        """Forget the last fault: one of the same words begins anew."""
        self._last_fault = None

    def _log_state(self, state: State, why: str) -> None:
        """Log a new state, unless it comes and goes in a rhythm."""
        if state == "running":
            # That it is well again belongs to what went wrong: `journalctl -p warning` shows both.
            level = logging.INFO if self._status.state == "starting" else logging.WARNING
            _log.log(level if self._logs_this else logging.DEBUG, "%s: %s", state, why)
            self._logs_this = False
        elif state == "asleep":
            _log.info("%s: %s", state, why)
        elif state in ("degraded", "recovering") and why != self._last_fault:  # else `fault` has logged it
            more = self._repeats.words(why, time.monotonic())
            shown = self._without_logged(why)
            _log.log(logging.DEBUG if more is None else logging.WARNING, "%s: %s%s", state, shown, more or "")
            self._logs_this = self._logs_this or more is not None

    def _without_logged(self, why: str) -> str:
        """Return a reason without the fault that keeps events waiting, which is long, and in the line before."""
        events = self._status.events
        if events is None or events.fault is None:
            return why
        return why.replace(f": {one_line(events.fault)}", " for the reason just logged")

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

    def reloading(self) -> None:
        """Call SystemdNotifier.reloading."""
        self._notifier.reloading()

    def reloaded(self, outcome: Reloaded) -> None:
        """Report what came of a reload: to systemd, in the log, a line for each fault, and in the status file."""
        if outcome.applied:
            _log.info("settings read again: %s", outcome.words)
        else:
            _log.error("settings refused, those before stay in use: %s", outcome.words)
            for fault in outcome.faults:
                _log.error("  %s", fault)
        # First to systemd, as `systemctl reload` may wait for the file.
        self._notifier.reloaded(self._words)
        self._status.reloaded = outcome
        self.write()

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

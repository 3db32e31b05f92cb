"""Report to systemd: readiness, the watchdog, and a line of status. And the folders that it gives a service.

sdnotify and systemd-python have no wheels; the protocol is one datagram (man sd_notify).
"""

import logging
import math
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.printable import one_line
from edge.processes.logs import PROBLEMS

_log = logging.getLogger(__name__)

# The files of the service itself.
STATUS = "status.json"
REQUEST = "reboot-request"
SLEEP = "sleep-request"
POWEROFF = "poweroff-request"
RECORD = "reboots.json"

# A label can be long, and a datagram that is too large would leave the watchdog unfed.
_LONGEST = 1000

# Between two tries to send READY=1: its socket may be full, and without it systemd ends a service that is well.
_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """Folders that systemd gives this instance, None if there is none: `run` in memory, `state` on disk."""

    run: Path | None
    state: Path | None

    @property
    def files(self) -> dict[str, Path]:
        """The files that the service itself keeps there, by what people call them."""
        kept = (
            ("the status file", self.run, STATUS),
            ("the reboot request", self.run, REQUEST),
            ("the log of problems", self.run, PROBLEMS),
            ("the order to sleep", self.run, SLEEP),
            ("the request to power off", self.run, POWEROFF),
            ("the record of reboots", self.state, RECORD),
        )
        return {name: folder / file for name, folder, file in kept if folder is not None}


class SystemdNotifier:
    """The notify socket of this service; does nothing if the environment names none.

    watchdog_s: systemd's limit between two signs of life, infinite without a watchdog.

    Used by one thread.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        # man sd_notify: "@" stands for the NUL byte of the abstract namespace.
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        self.watchdog_s = _watchdog_s(environment)
        # Three signs may be lost on a busy board. 5 s keeps the status text fresh with a long watchdog.
        self._period_s = min(self.watchdog_s / 4, 5.0)
        self._ready = self._wants_ready = False
        self._fed_s = self._tried_s = float("-inf")
        self._warned = False

    def ready(self, summary: Callable[[], str]) -> None:
        """Report that the service serves, or what it is missing. Sent once, so it may be called for every result.
        summary: returns the text for `systemctl status`."""
        # A service without its camera is ready, too: otherwise others would wait for it, and systemd would end it.
        now = time.monotonic()
        if self._ready or now - self._tried_s < _AGAIN_S:
            return
        self._wants_ready, self._tried_s = True, now
        if self._send(f"READY=1\nWATCHDOG=1\nSTATUS={_text(summary())}"):
            self._ready, self._fed_s = True, now

    def alive(self, summary: Callable[[], str]) -> None:
        """Feed the watchdog, four times in its limit and at least every 5 s."""
        # Nothing is sent before `ready`: a start that hangs must be ended.
        if self._wants_ready and not self._ready:
            self.ready(summary)
        now = time.monotonic()
        if self._ready and now - self._fed_s >= self._period_s:
            self._fed_s = now
            self._send(f"WATCHDOG=1\nSTATUS={_text(summary())}")

    def reloading(self) -> None:
        """Report that the settings are being read again; `reloaded` must follow."""
        if self._ready:  # else READY=1 at its end would come too early
            microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self._send(f"RELOADING=1\nMONOTONIC_USEC={microseconds}\nSTATUS=reading the settings again")

    def reloaded(self, summary: Callable[[], str]) -> None:
        """Report the end of a reload, whatever came of it. summary: as for `ready`."""
        if self._ready:
            self._send(f"READY=1\nSTATUS={_text(summary())}")

    def stopping(self) -> None:
        """Report that the service ends on purpose."""
        self._send("STOPPING=1\nSTATUS=stopping")

    def _send(self, message: str) -> bool:
        """Return False if systemd did not receive it. Never waits."""
        if not self._address:
            return True
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.settimeout(0)  # a full socket must not stop the supervisor
                channel.sendto(message.encode(), self._address)
        except OSError as error:
            level = logging.DEBUG if self._warned else logging.WARNING
            self._warned = True
            _log.log(level, "cannot reach systemd's notify socket: %s", error)
            return False
        return True


def _text(summary: str) -> str:
    """Return the text so that it cannot begin another assignment, and fits into a datagram with room to spare."""
    return one_line(summary)[:_LONGEST]


def _watchdog_s(environment: Mapping[str, str]) -> float:
    """Return the watchdog's limit; infinite if there is none (the status text is still sent)."""
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdecimal() and int(text) > 0 else math.inf

"""Telling systemd how we are: readiness, and a watchdog fed by a supervisor that judges the worker by its results.

sdnotify and systemd-python have no wheels; the protocol is one datagram (man sd_notify).
"""

import logging
import math
import os
import socket
import time
from collections.abc import Callable, Mapping

_log = logging.getLogger(__name__)

# Between two tries to say READY=1; without it systemd ends a service that is well.
_AGAIN_S = 1.0


class SystemdNotifier:
    """The notify socket of this service; does nothing where the environment names none.

    watchdog_s: systemd's limit between two signs of life, infinite without a watchdog. Used by one thread.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        self.watchdog_s = _watchdog_s(environment)
        self._period_s = min(self.watchdog_s / 4, 5.0)
        self._ready = self._wants_ready = False
        self._fed_s = self._tried_s = float("-inf")
        self._warned = False

    def ready(self, summary: Callable[[], str]) -> None:
        """The service serves, or knows what it is missing: said once, so it may be called for every result.
        summary: makes the text for `systemctl status`."""
        now = time.monotonic()
        if self._ready or now - self._tried_s < _AGAIN_S:
            return
        self._wants_ready, self._tried_s = True, now
        if self._send(f"READY=1\nWATCHDOG=1\nSTATUS={summary()}"):
            self._ready, self._fed_s = True, now

    def alive(self, summary: Callable[[], str]) -> None:
        """The supervisor has judged and all is in its hands; feeds the watchdog, four times in its
        limit and at least every 5 s. Says nothing before `ready`, so that a start that hangs is ended."""
        if self._wants_ready and not self._ready:
            self.ready(summary)
        now = time.monotonic()
        if self._ready and now - self._fed_s >= self._period_s:
            self._fed_s = now
            self._send(f"WATCHDOG=1\nSTATUS={summary()}")

    def stopping(self) -> None:
        """The service ends on purpose."""
        self._send("STOPPING=1\nSTATUS=stopping")

    def _send(self, message: str) -> bool:
        """False where systemd did not get it; never waits: its socket may be full."""
        if not self._address:
            return True
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.settimeout(0)
                channel.sendto(message.encode(), self._address)
        except OSError as error:
            level = logging.DEBUG if self._warned else logging.WARNING
            self._warned = True
            _log.log(level, "cannot reach systemd's notify socket: %s", error)
            return False
        return True


def _watchdog_s(environment: Mapping[str, str]) -> float:
    """The watchdog's limit; infinite where there is none (the status text still moves)."""
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdecimal() and int(text) > 0 else math.inf

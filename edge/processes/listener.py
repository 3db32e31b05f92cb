"""Wait for whatever comes first: a message, an end of a process, or a call of `wake`."""

import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol


class HasFileno(Protocol):
    """What a selector can wait for."""

    def fileno(self) -> int:
        """Return the file descriptor."""


class Listener:
    """A selector whose entries are callbacks. Used by one thread; any thread or signal handler may call `wake`."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        # A signal handler may not touch what the loop uses. One byte through a socket is all it does.
        self._wake, self._wake_in = socket.socketpair()
        self._wake.settimeout(0)
        self._selector.register(self._wake, selectors.EVENT_READ, lambda: self._wake.recv(64))

    def add(self, end: HasFileno, callback: Callable[[], object]) -> None:
        """Call `callback` whenever `end` can be read."""
        self._selector.register(end, selectors.EVENT_READ, callback)

    def remove(self, end: HasFileno) -> None:
        """Forget `end`; safe to call twice, but only before it is closed."""
        if end in self._selector.get_map():
            self._selector.unregister(end)

    def wait(self, timeout_s: float) -> list[Callable[[], object]]:
        """Return the callbacks of what can be read, at the latest after `timeout_s`."""
        return [key.data for key, _ in self._selector.select(timeout_s)]

    def wake(self) -> None:
        """Let `wait` return soon."""
        with suppress(OSError):  # closed already
            self._wake_in.send(b"x")

    def close(self) -> None:
        """Close everything that was created here."""
        self._selector.close()
        self._wake.close()
        self._wake_in.close()

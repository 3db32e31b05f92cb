"""Wait for several pipes to and from child processes at once.

Linux and macOS select on pipes; Windows cannot, so there a thread waits for each.
"""

import contextlib
import os
import queue
import select
import selectors
import threading
from collections.abc import Hashable
from typing import IO, Protocol

_PIECE = 1 << 16


class Pipes(Protocol):
    """Pipes that are read and written as fast as their other ends allow. Used by one thread.

    settle_s: seconds after which what is in a pipe is sure to have come from `wait`
    """

    settle_s: float

    def read(self, pipe: IO[bytes], key: Hashable) -> None:
        """Read this pipe from now on; `key` is that of its pieces."""

    def write(self, pipe: IO[bytes], data: bytes) -> None:
        """Write `data`, then close the pipe. If nobody reads, what is left is dropped."""

    def drop(self, pipe: IO[bytes]) -> None:
        """Read this pipe no longer. Safe to call after its end."""

    def wait(self, seconds: float) -> list[tuple[Hashable, bytes]]:
        """Wait for at most `seconds` until there is something to read. Returns pieces with their keys, one of a pipe;
        an empty piece is a pipe's end, which comes once."""

    def left(self) -> int:
        """Return how many pipes are neither at their end nor dropped."""

    def close(self) -> None:
        """Drop all pipes. They stay open."""


def open_pipes() -> Pipes:
    """Return pipes in the way that this system can wait for them."""
    return SelectedPipes() if hasattr(select, "poll") else ThreadedPipes()


class SelectedPipes:
    """Pipes that the system selects among."""

    settle_s = 0.0

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._to_write: dict[IO[bytes], memoryview] = {}

    def read(self, pipe: IO[bytes], key: Hashable) -> None:
        """Read this pipe from now on."""
        self._selector.register(pipe, selectors.EVENT_READ, key)

    def write(self, pipe: IO[bytes], data: bytes) -> None:
        """Write `data`, then close the pipe."""
        os.set_blocking(pipe.fileno(), False)
        self._to_write[pipe] = memoryview(data)
        self._selector.register(pipe, selectors.EVENT_WRITE)

    def drop(self, pipe: IO[bytes]) -> None:
        """Read this pipe no longer."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(pipe)

    def wait(self, seconds: float) -> list[tuple[Hashable, bytes]]:
        """Wait for at most `seconds` until there is something to read."""
        pieces = []
        for key, event in self._selector.select(seconds):
            pipe: IO[bytes] = key.fileobj  # type: ignore[assignment]
            if event & selectors.EVENT_WRITE:
                self._give(pipe)
                continue
            piece = os.read(pipe.fileno(), _PIECE)
            pieces.append((key.data, piece))
            if not piece:
                self._selector.unregister(pipe)
        return pieces

    def _give(self, pipe: IO[bytes]) -> None:
        left = self._to_write[pipe]
        try:
            left = left[os.write(pipe.fileno(), left[:_PIECE]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            left = left[:0]
        self._to_write[pipe] = left
        if not left:
            self._selector.unregister(pipe)
            pipe.close()

    def left(self) -> int:
        """Return how many pipes are neither at their end nor dropped."""
        return len(self._selector.get_map())

    def close(self) -> None:
        """Drop all pipes."""
        self._selector.close()


class _Reading:
    """A thread that reads one pipe, a piece at a time: the next one is read when that was taken."""

    def __init__(self, pipe: IO[bytes], key: Hashable, arrived: "queue.SimpleQueue[tuple[_Reading, bytes]]") -> None:
        self.key, self.dropped = key, False
        self._number, self._arrived = pipe.fileno(), arrived
        self._taken = threading.Semaphore(0)
        threading.Thread(target=self._run, daemon=True).start()

    def take_on(self) -> None:
        """Let the next piece be read."""
        self._taken.release()

    def _run(self) -> None:
        piece = b"-"
        while piece and not self.dropped:
            try:
                piece = os.read(self._number, _PIECE)
            except OSError:  # closed here, after its process was killed
                piece = b""
            self._arrived.put((self, piece))
            self._taken.acquire()


class ThreadedPipes:
    """Pipes that a thread waits for each."""

    settle_s = 2.0  # on a busy machine such a thread may get no turn for a second

    def __init__(self) -> None:
        self._arrived: queue.SimpleQueue[tuple[_Reading, bytes]] = queue.SimpleQueue()
        self._readings: dict[IO[bytes], _Reading] = {}

    def read(self, pipe: IO[bytes], key: Hashable) -> None:
        """Read this pipe from now on."""
        self._readings[pipe] = _Reading(pipe, key, self._arrived)

    def write(self, pipe: IO[bytes], data: bytes) -> None:
        """Write `data`, then close the pipe."""
        threading.Thread(target=_write, args=(pipe, data), daemon=True).start()

    def drop(self, pipe: IO[bytes]) -> None:
        """Read this pipe no longer."""
        reading = self._readings.pop(pipe, None)
        if reading is not None:
            reading.dropped = True
            reading.take_on()

    def wait(self, seconds: float) -> list[tuple[Hashable, bytes]]:
        """Wait for at most `seconds` until there is something to read."""
        found: list[tuple[_Reading, bytes]] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._arrived.get(timeout=seconds) if seconds > 0 else self._arrived.get_nowait())
            while True:
                found.append(self._arrived.get_nowait())
        pieces = [(reading.key, piece) for reading, piece in found if not reading.dropped]
        for reading, piece in found:
            if not piece:
                self._readings = {pipe: other for pipe, other in self._readings.items() if other is not reading}
            reading.take_on()
        return pieces

    def left(self) -> int:
        """Return how many pipes are neither at their end nor dropped."""
        return len(self._readings)

    def close(self) -> None:
        """Drop all pipes."""
        for pipe in list(self._readings):
            self.drop(pipe)


def _write(pipe: IO[bytes], data: bytes) -> None:
    left = memoryview(data)
    with contextlib.suppress(OSError, ValueError), pipe:  # nobody reads, or closed after its process was killed
        while left:
            left = left[pipe.write(left[:_PIECE]) :]

"""Hand frames from one thread to another through a slot for one: the newest frame wins."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FrameSlot(Generic[Item]):
    """A slot for one frame (or what was made of it) between the capture thread and the pipeline.

    A newer frame replaces the one in the slot; with lossless=True `put` waits until the slot is empty instead. Once
    the slot is empty, `get` raises the exception that `fail` received. One thread puts, one gets; any may close.
    """

    def __init__(self, *, lossless: bool, on_drop: Callable[[Item], None] = lambda _: None) -> None:
        """on_drop: called with each replaced frame, on the thread that called `put`."""
        self.dropped = 0
        self._on_drop = on_drop
        self._lossless = lossless
        self._frame: Item | None = None
        self._failure: BaseException | None = None
        self._closed = False
        self._mutex = threading.Lock()
        # Released to wake the thread that gets (news) or the one that puts (room).
        self._news, self._room = threading.Lock(), threading.Lock()
        self._news.acquire()
        self._room.acquire()

    @property
    def closed(self) -> bool:
        """Return True once `close` was called."""
        return self._closed

    @property
    def free(self) -> bool:
        """Return True if the slot is empty, so that `put` would neither wait nor replace a frame."""
        return self._frame is None

    def put(self, frame: Item, wait_s: float = 0.0) -> bool:
        """Place a frame; return False if the slot is closed and the frame was not taken.

        wait_s: wait so long for an empty slot before replacing a frame.
        """
        ends_s = time.monotonic() + wait_s if wait_s else 0.0
        while True:
            with self._mutex:
                if self._closed:
                    return False
                if self._frame is None or not (self._lossless or (wait_s and time.monotonic() < ends_s)):
                    replaced, self._frame = self._frame, frame
                    _ring(self._news)
                    break
            self._room.acquire(timeout=-1 if self._lossless else max(0.0, ends_s - time.monotonic()))
        if replaced is not None:
            self.dropped += 1
            self._on_drop(replaced)
        return True

    def get(self, timeout_s: float) -> Item | None:
        """Return the newest frame; None after `timeout_s` without one, or once closed. Raises what `fail` received."""
        ends_s = time.monotonic() + timeout_s
        while True:
            with self._mutex:
                frame, self._frame = self._frame, None
                if frame is not None:
                    _ring(self._room)
                    return frame
                if self._failure is not None:
                    raise self._failure
                if self._closed:
                    return None
            if not self._news.acquire(timeout=max(0.0, ends_s - time.monotonic())):
                return None

    def take(self) -> Item | None:
        """Return the newest frame or None at once; a waiting `put` goes on waiting until `wake`. Raises nothing.

        For a thread that must do something before others may use the processor.
        """
        with self._mutex:
            frame, self._frame = self._frame, None
            return frame

    def wake(self) -> None:
        """Wake a `put` that still waits after `take` has emptied the slot."""
        with self._mutex:
            _ring(self._room)

    def fail(self, failure: BaseException) -> None:
        """Record the end of the source, `failure`, which `get` then raises."""
        with self._mutex:
            self._failure = failure
            _ring(self._news)

    def close(self) -> None:
        """Close the slot, and wake both threads."""
        with self._mutex:
            self._closed = True
            _ring(self._news)
            _ring(self._room)


def _ring(bell: threading.Lock) -> None:
    """Wake the thread that waits for `bell`, now or next time. Called with the slot's mutex held."""
    # The mutex keeps other threads from releasing `bell` between these two lines.
    if bell.locked():
        bell.release()

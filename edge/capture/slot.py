"""A slot between two threads: one place, and the newest frame wins."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FrameSlot(Generic[Item]):
    """Hands frames (or what was made of them) from the capture thread to the pipeline: one place, newest wins.

    With lossless=True `put` waits until the place is free instead. An exception given to `fail` is raised by
    `get` once the place is empty. One thread puts, one gets; any may close.
    """

    def __init__(self, *, lossless: bool, on_drop: Callable[[Item], None] = lambda _: None) -> None:
        """on_drop: told each frame that a newer one replaced, by the thread that put that."""
        self.dropped = 0
        self._on_drop = on_drop
        self._lossless = lossless
        self._frame: Item | None = None
        self._failure: BaseException | None = None
        self._closed = False
        self._mutex = threading.Lock()
        # Released when there is something to look at, for who gets and for who puts.
        self._news, self._room = threading.Lock(), threading.Lock()
        self._news.acquire()
        self._room.acquire()

    @property
    def closed(self) -> bool:
        """Has `close` been called?"""
        return self._closed

    @property
    def free(self) -> bool:
        """Would `put` take a frame at once, replacing none?"""
        return self._frame is None

    def put(self, frame: Item) -> bool:
        """Place a frame; False where the slot was closed and the frame not taken."""
        while True:
            with self._mutex:
                if self._closed:
                    return False
                if not self._lossless or self._frame is None:
                    replaced, self._frame = self._frame, frame
                    _ring(self._news)
                    break
            self._room.acquire()
        if replaced is not None:
            self.dropped += 1
            self._on_drop(replaced)
        return True

    def get(self, timeout_s: float) -> Item | None:
        """The newest frame, or None after `timeout_s` without one or once closed. Raises what `fail` got."""
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
        """As `get`, but at once, raising nothing, and a waiting `put` goes on waiting until `wake`: for a thread
        that has to do something before others may use the processor."""
        with self._mutex:
            frame, self._frame = self._frame, None
            return frame

    def wake(self) -> None:
        """Let a `put` go on that waited for what `take` took."""
        with self._mutex:
            _ring(self._room)

    def fail(self, failure: BaseException) -> None:
        """The source has ended, well or badly."""
        with self._mutex:
            self._failure = failure
            _ring(self._news)

    def close(self) -> None:
        """Let both sides go."""
        with self._mutex:
            self._closed = True
            _ring(self._news)
            _ring(self._room)


def _ring(bell: threading.Lock) -> None:
    """Wake who waits for it, or who will. The slot's mutex is held, so nobody else releases meanwhile."""
    if bell.locked():
        bell.release()

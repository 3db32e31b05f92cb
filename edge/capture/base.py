"""FrameSource, and the slot that holds the newest frame only."""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from edge.records import Frame

Item = TypeVar("Item")


class FrameSource(Protocol):
    """A camera, or something that stands in for one.

    `read` is called by one thread; `close` may be called by another and makes a waiting `read` end soon.
    """

    @property
    def description(self) -> str:
        """What this is and what was negotiated: kind, size, rate."""

    @property
    def lossless(self) -> bool:
        """True where every frame shall be classified, so the source waits for the device; False where the
        newest frame wins and the rest are dropped and counted."""

    @property
    def has_noise(self) -> bool:
        """True where no two frames are ever bit-identical, as a sensor's noise sees to that, so that a repeated
        frame is a fault; False for replays."""

    def read(self) -> Frame:
        """The next frame, in memory of its own. Blocks until there is one.

        Raises EndOfStream after the last, CameraError where the source fails."""

    def close(self) -> None:
        """Give the camera back; safe to call twice."""


class FrameSlot(Generic[Item]):
    """Hands frames (or what was made of them) from the capture thread to the pipeline: one place, newest wins.

    With lossless=True `put` waits until the place is free instead. An exception given to `fail` is raised by
    `get` once the place is empty. Thread-safe.
    """

    def __init__(self, *, lossless: bool, on_drop: Callable[[Item], None] = lambda _: None) -> None:
        """on_drop: told each frame that a newer one replaced, by the thread that put that."""
        self.dropped = 0
        self._on_drop = on_drop
        self._lossless = lossless
        self._frame: Item | None = None
        self._failure: BaseException | None = None
        self._closed = False
        self._changed = threading.Condition()

    @property
    def closed(self) -> bool:
        """Has `close` been called?"""
        return self._closed

    def put(self, frame: Item) -> bool:
        """Place a frame; False where the slot was closed and the frame not taken."""
        with self._changed:
            while self._lossless and self._frame is not None and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            replaced, self._frame = self._frame, frame
            self._changed.notify_all()
        if replaced is not None:
            self.dropped += 1
            self._on_drop(replaced)
        return True

    def get(self, timeout_s: float) -> Item | None:
        """The newest frame, or None after `timeout_s` without one or once closed. Raises what `fail` got."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._frame is not None or self._failure is not None or self._closed, timeout_s
            )
            frame, self._frame = self._frame, None
            if frame is None and self._failure is not None:
                raise self._failure
            self._changed.notify_all()
            return frame

    def fail(self, failure: BaseException) -> None:
        """The source has ended, well or badly."""
        with self._changed:
            self._failure = failure
            self._changed.notify_all()

    def close(self) -> None:
        """Let both sides go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

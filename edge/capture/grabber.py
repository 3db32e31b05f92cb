"""Read an OpenCV capture, or one like it, in a thread of its own.

So a hanging driver or server delays no caller beyond its time limit.
"""

import atexit
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import cv2
import numpy as np

from edge.capture.slot import FrameSlot
from edge.clock import stamp
from edge.errors import CameraError, EndOfStream
from edge.records import Frame, Pixels

_JOIN_S = 1.0
_MARGIN_S = 1.0
_PAUSE_S = 0.01

# Closed by `_close_all`: an interpreter that ends while a thread is in OpenCV aborts with "FATAL: exception not
# rethrown" (6 times of 6, CPython 3.11 with OpenCV 5.0, 2026-11).
_open: "weakref.WeakSet[Grabber[Any]]" = weakref.WeakSet()


class Capture(Protocol):
    """What a Grabber reads: OpenCV's VideoCapture, or one that is used in the same way."""

    def read(self) -> tuple[bool, Any]:
        """Return whether a frame was read, and the frame: uint8, a picture or the flat bytes of one."""

    def release(self) -> None:
        """Release the device or the connection."""


Held = TypeVar("Held", bound=Capture)


class Grabber(Generic[Held]):
    """An open capture, read without a pause; only the newest frame is kept.

    A frame that is replaced before it is taken leaves a gap in the sequence. `read` is for one thread, `close` for
    any.
    """

    # Drivers and network protocols block in calls that cannot be interrupted. A thread of its own can be left behind
    # in such a call, and `read` and `close` still return in time. Reading without a pause keeps the driver's and the
    # network's buffers empty, so that frames are as fresh as they can be.

    def __init__(
        self,
        open_capture: Callable[[], Held],
        *,
        open_s: float,
        wait_s: float,
        why_silent: Callable[[], str],
        goes_on: Callable[[], bool] = lambda: False,
        when: Callable[[Held], tuple[float, float]] = lambda _: stamp(),
        decode: Callable[[Pixels], Pixels | None] = lambda image: image,
    ) -> None:
        """Open the capture. Raises CameraError if that fails or takes longer than `open_s`.

        open_capture: opens and sets up, or raises CameraError; runs in the thread.
        open_s: longest time to open, in seconds.
        wait_s: longest time without a frame, in seconds.
        why_silent: returns the error message for a missing frame.
        goes_on: returns True if another frame may follow one that could not be read.
        when: returns the monotonic and wall seconds of the frame just read.
        decode: turns what was read into a picture in memory of its own; None drops a damaged one.
        """
        self._open_capture, self._why_silent = open_capture, why_silent
        self._goes_on, self._when, self._decode = goes_on, when, decode
        self._wait_s = wait_s
        self._slot: FrameSlot[Frame] = FrameSlot(lossless=False)
        self._failure: BaseException | None = None
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._run, name="grab", daemon=True)
        _open.add(self)
        self._thread.start()
        if not self._opened.wait(open_s + _MARGIN_S):
            self._slot.close()
            raise CameraError(why_silent())
        if self._failure is not None:
            raise self._failure

    def read(self) -> Frame:
        """See FrameSource.read."""
        frame = None if self._slot.closed else self._slot.get(self._wait_s)
        if frame is None:
            if self._slot.closed:
                raise EndOfStream("the source was closed")
            raise CameraError(self._why_silent())
        return frame

    def close(self) -> None:
        """See FrameSource.close. Waits up to a second for a running read, whose end releases the device."""
        self._slot.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        try:
            capture = self._open_capture()
        except BaseException as error:  # noqa: BLE001 - the constructor raises it again
            self._failure = _as_camera_error(error)
            return
        finally:
            self._opened.set()
        try:
            self._grab(capture)
        except BaseException as error:  # noqa: BLE001 - `read` raises it again
            self._slot.fail(_as_camera_error(error))
        finally:
            capture.release()

    def _grab(self, capture: Held) -> None:
        sequence, good_s = 0, time.monotonic()
        while not self._slot.closed:
            good, read = capture.read()
            image = self._decode(np.asarray(read, dtype=np.uint8)) if good and read is not None else None
            if image is None:
                if time.monotonic() - good_s < self._wait_s and (good or self._goes_on()):
                    time.sleep(_PAUSE_S)
                    continue
                self._slot.fail(CameraError(self._why_silent()))
                return
            good_s = time.monotonic()
            frame = Frame(image, sequence, *self._when(capture))
            if not self._slot.put(frame):
                return
            sequence += 1


@atexit.register
def _close_all() -> None:
    for grabber in list(_open):
        grabber.close()


def _as_camera_error(error: BaseException) -> BaseException:
    return CameraError(f"OpenCV: {' '.join(str(error).split())}") if isinstance(error, cv2.error) else error

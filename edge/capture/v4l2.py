"""USB and other Video4Linux cameras, through OpenCV."""

import errno
import os
from pathlib import Path

import cv2
import numpy as np

from edge.clock import stamp
from edge.errors import CameraError, EndOfStream
from edge.records import Frame


class V4l2Source:
    """A /dev/videoN device.

    Asks for `width` x `height` at `fps` and reports what the driver gave. Read by one thread.
    """

    def __init__(self, device: Path, *, width: int, height: int, fps: float | None, wait_s: float) -> None:
        """Raises CameraError: not there, no permission, busy, or no frames in a format OpenCV knows."""
        _check_access(device)
        self._device = device
        self._closed = False
        self._sequence = 0
        self._capture = cv2.VideoCapture(
            str(device),
            cv2.CAP_V4L2,
            [cv2.CAP_PROP_FRAME_WIDTH, width, cv2.CAP_PROP_FRAME_HEIGHT, height],
        )
        if not self._capture.isOpened():
            raise CameraError(f"{device}: busy, or not a camera: see `v4l2-ctl --list-devices`")
        if fps:
            self._capture.set(cv2.CAP_PROP_FPS, fps)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._wait_s = wait_s
        self._capture.set(cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(wait_s * 1000))
        got = [int(self._capture.get(k)) for k in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
        self._description = f"camera {device} {got[0]}x{got[1]}, {self._capture.get(cv2.CAP_PROP_FPS):g} frames/s"

    @property
    def description(self) -> str:
        """As FrameSource.description."""
        return self._description

    @property
    def lossless(self) -> bool:
        """As FrameSource.lossless."""
        return False

    @property
    def has_noise(self) -> bool:
        """As FrameSource.has_noise."""
        return True

    def read(self) -> Frame:
        """As FrameSource.read; gives up after `wait_s` without a frame."""
        good, image = self._capture.read()
        if self._closed:
            self._capture.release()
            raise EndOfStream("the camera was closed")
        if not good or image is None:
            self._capture.release()
            raise CameraError(f"{self._device}: no frame within {self._wait_s:g} s: unplugged or stalled")
        frame = Frame(np.asarray(image, dtype=np.uint8), self._sequence, *stamp())
        self._sequence += 1
        return frame

    def close(self) -> None:
        """As FrameSource.close; a read under way gives the device back, else the end of the process does."""
        self._closed = True


def _check_access(device: Path) -> None:
    """Open the device once, so that the reason is known; OpenCV only says no."""
    try:
        os.close(os.open(device, os.O_RDWR | os.O_NONBLOCK))
    except OSError as error:
        fix = {
            errno.ENOENT: "plug it in, or see `ls /dev/video*` for what there is",
            errno.EACCES: "add the user to the group `video`",
            errno.EBUSY: "another program uses it: stop that",
        }.get(error.errno or 0, "check the cable and `dmesg`")
        raise CameraError(f"camera {device}: {error.strerror or error}: {fix}") from error

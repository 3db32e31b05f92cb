"""Read USB and other Video4Linux cameras through OpenCV."""

import logging
import math
import os
from pathlib import Path

import cv2

from edge.capture.base import Optics
from edge.capture.grabber import Grabber
from edge.capture.v4l2_probe import gone_because, probe, set_autogain
from edge.clock import DeviceClock, stamp
from edge.errors import CameraError
from edge.records import Frame

_log = logging.getLogger(__name__)

# V4L2_CID_EXPOSURE_AUTO, of linux/v4l2-controls.h. USB cameras have "manual" and "aperture priority".
_EXPOSURE_AUTO, _EXPOSURE_MANUAL, _EXPOSURE_APERTURE_PRIORITY = 0, 1, 3


class V4l2Source:
    """A /dev/videoN device. Read by one thread.

    Requests `width` x `height` at `fps` in `pixel_format` (a FOURCC, or auto). `description` holds what the driver
    gave instead; a difference is logged as a warning.
    """

    lossless = False
    has_noise = True
    stalls = True

    def __init__(
        self,
        device: Path,
        *,
        width: int,
        height: int,
        fps: float | None,
        wait_s: float,
        pixel_format: str = "auto",
        optics: Optics | None = None,
    ) -> None:
        """Open the camera. Raises CameraError if it is absent, forbidden or busy, gives no frames in a format that
        OpenCV supports, or has no such exposure, gain or focus."""
        self._device, self._optics = device, optics or Optics()
        self._width, self._height, self._fps = width, height, fps
        self._format = None if pixel_format == "auto" else pixel_format
        self._card = probe(device)
        self.description = f"camera {device}"
        self._clock = DeviceClock(self.description)
        # OpenCV waits ten seconds for a frame. CAP_PROP_READ_TIMEOUT_MSEC does nothing with V4L2; this variable does,
        # and is read once, at the first wait.
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(math.ceil(wait_s)))
        self._grabber = Grabber(
            self._open,
            open_s=max(wait_s, 5.0),
            wait_s=wait_s,
            why_silent=lambda: gone_because(device, wait_s),
            goes_on=device.exists,  # USB cameras send a damaged JPEG now and then
            when=self._when,
        )

    def read(self) -> Frame:
        """See FrameSource.read; gives up after `wait_s` without a frame."""
        return self._grabber.read()

    def close(self) -> None:
        """See FrameSource.close. A running read releases the device; if it hangs, the end of the process does."""
        self._grabber.close()

    def _when(self, capture: cv2.VideoCapture) -> tuple[float, float]:
        """Return monotonic and wall seconds of the frame just read."""
        # Drivers stamp frames by the monotonic clock.
        now_mono_s, now_wall_s = stamp()
        stamp_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3  # 0 or less: the driver has none
        age_s = self._clock.age_s(now_mono_s - stamp_s if stamp_s > 0 else None)
        return now_mono_s - age_s, now_wall_s - age_s

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self._device), cv2.CAP_V4L2)
        try:
            self._set_up(capture)
        except BaseException:
            capture.release()
            raise
        return capture

    def _set_up(self, capture: cv2.VideoCapture) -> None:
        if not capture.isOpened():
            raise CameraError(
                f"camera {self._device}: gives no picture that OpenCV reads: see `v4l2-ctl --list-devices`, and "
                f"`v4l2-ctl -d {self._device} --list-formats-ext`"
            )
        # Format first: the sizes and rates that a camera has depend on it.
        if self._format:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*self._format))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._height)
        if self._fps:
            capture.set(cv2.CAP_PROP_FPS, max(1, round(self._fps)))  # OpenCV takes whole rates only
        self._set_optics(capture)
        self._compare(capture)

    def _set_optics(self, capture: cv2.VideoCapture) -> None:
        # A camera keeps its settings from program to program, so automatics are switched on as well as off.
        optics = self._optics
        if optics.exposure_us is None:
            # Cameras differ in which of the two is the automatic one; a camera with neither refuses both.
            if not capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, _EXPOSURE_APERTURE_PRIORITY):
                capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, _EXPOSURE_AUTO)
        else:
            capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, _EXPOSURE_MANUAL)
            hundred_us = max(1, round(optics.exposure_us / 100))  # the unit of V4L2_CID_EXPOSURE_ABSOLUTE
            self._require(capture, cv2.CAP_PROP_EXPOSURE, hundred_us, f"exposure = {optics.exposure_us}", "auto")
        set_autogain(self._device, on=optics.gain is None)
        if optics.gain is not None:
            self._require(capture, cv2.CAP_PROP_GAIN, optics.gain, f"gain = {optics.gain:g}", None)
        capture.set(cv2.CAP_PROP_AUTOFOCUS, 1 if optics.focus is None else 0)
        if optics.focus is not None:
            self._require(capture, cv2.CAP_PROP_FOCUS, optics.focus, f"focus = {optics.focus:g}", "auto")

    def _require(
        self, capture: cv2.VideoCapture, control: int, value: float, setting: str, automatic: str | None
    ) -> None:
        if not capture.set(control, value):
            without = f'set it to "{automatic}"' if automatic else "leave it out"
            raise CameraError(
                f"camera {self._device}: refuses camera.{setting}: {without}, or see "
                f"`v4l2-ctl -d {self._device} --list-ctrls` for what it has"
            )

    def _compare(self, capture: cv2.VideoCapture) -> None:
        """Describe what the driver gave, and warn if that is not what was requested."""
        width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        rate, pixel_format = capture.get(cv2.CAP_PROP_FPS), _fourcc(capture.get(cv2.CAP_PROP_FOURCC))
        given_rate = f", {rate:g} frames/s" if 0 < rate < 10_000 else ""
        self.description = f"camera {self._device} {self._card} {width}x{height} {pixel_format}{given_rate}"
        unlike = []
        if (width, height) != (self._width, self._height):
            unlike.append(f"{self._width}x{self._height}")
        if self._fps and given_rate and abs(rate - self._fps) > 0.02 * self._fps:
            unlike.append(f"{self._fps:g} frames/s")
        if self._format and pixel_format != self._format:
            unlike.append(self._format)
        if unlike:
            _log.warning(
                "%s: requested %s; `v4l2-ctl -d %s --list-formats-ext` shows what it can do",
                self.description,
                ", ".join(unlike),
                self._device,
            )


def _fourcc(code: float) -> str:
    text = int(code).to_bytes(8, "little", signed=True)[:4].decode("latin-1")
    return "".join(c if c.isprintable() else "?" for c in text)

"""Read network cameras, RTSP and MJPEG over HTTP, through OpenCV's FFmpeg."""

import logging
import time

import cv2

from edge.capture.ffmpeg import hands_over_jpegs, open_ffmpeg, whole_jpeg
from edge.capture.grabber import Grabber
from edge.capture.urls import require_stream
from edge.errors import CameraError
from edge.printable import masked
from edge.records import Frame, Pixels

_log = logging.getLogger(__name__)


class StreamSource:
    """A stream by its URL; the newest frame wins. Read by one thread.

    Truncated JPEGs are left out, and so are frames of other formats that FFmpeg reports as incomplete. Each JPEG
    keeps its own size; frames of other formats have the size of the first. The end of the stream and silence are
    faults: CameraError, and the caller opens it again. User and password stay out of descriptions and errors.
    """

    lossless = False
    # A network camera may send a still scene twice, bit for bit.
    has_noise = False
    stalls = True

    def __init__(self, url: str, *, wait_s: float) -> None:
        """Open the stream. Raises ConfigError if `url` is not the URL of a stream, CameraError if the camera does not
        answer within `wait_s` seconds, refuses, or sends no video."""
        require_stream(url)
        self._url, self._shown = url, masked(url)
        self._wait_s = wait_s
        self.description = f"stream {self._shown}"
        self._sends_jpegs, self._damaged = False, 0
        self._grabber = Grabber(
            self._open, open_s=wait_s, wait_s=wait_s, why_silent=self._why_silent, decode=self._decode
        )

    def read(self) -> Frame:
        """See FrameSource.read; gives up after `wait_s` without a frame."""
        return self._grabber.read()

    def close(self) -> None:
        """See FrameSource.close."""
        self._grabber.close()

    def _open(self) -> cv2.VideoCapture:
        started_s = time.monotonic()
        wait_ms = int(self._wait_s * 1000)
        capture = open_ffmpeg(
            self._url, [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, wait_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, wait_ms]
        )
        if not capture.isOpened():
            capture.release()
            if time.monotonic() - started_s > 0.9 * self._wait_s:
                raise CameraError(self._why_silent())
            raise CameraError(
                f"stream {self._shown}: cannot be opened: check address, user and password, and that it is video: "
                "a browser or VLC shows it"
            )
        size = [int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
        self.description = f"stream {self._shown} {size[0]}x{size[1]}"
        self._sends_jpegs = hands_over_jpegs(capture)
        return capture

    def _decode(self, read: Pixels) -> Pixels | None:
        image = whole_jpeg(read) if self._sends_jpegs else read
        if image is None:
            self._damaged += 1
            if self._damaged == 1:
                _log.warning("%s: sent a truncated picture: it is left out, like all later ones", self.description)
        return image

    def _why_silent(self) -> str:
        cut_off = f" ({self._damaged} pictures were truncated)" if self._damaged else ""
        return (
            f"stream {self._shown}: no frame within {self._wait_s:g} s, or it ended{cut_off}: check the camera and the "
            "network; for a slow one raise camera.timeout_s"
        )

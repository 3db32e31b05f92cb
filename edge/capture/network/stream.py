"""Receive network streams: RTSP and video over HTTP through OpenCV's FFmpeg, JPEGs over HTTP by ourselves."""

import http.client
import logging
import time

import cv2

from edge.capture.ffmpeg import hands_over_jpegs, open_stream, too_large
from edge.capture.grabber import Capture, Grabber
from edge.capture.jpeg import decode_jpeg
from edge.capture.network.web_camera import POLL_FPS, WebCamera, in_words
from edge.capture.urls import require_stream
from edge.errors import CameraError, ImageError
from edge.printable import masked, were
from edge.records import Frame, Pixels

_log = logging.getLogger(__name__)

_CHECK = "check address, user and password, and that it is video: a browser or VLC shows it"
# Addresses of which this process has logged that a picture was left out.
_told: set[str] = set()


class StreamSource:
    """A stream by its URL; the newest frame wins. Read by one thread.

    An address that gives one JPEG a request is requested again and again. JPEGs that are truncated or over 100
    megapixels are left out, and so are frames of other formats that FFmpeg reports as incomplete. Each JPEG keeps its
    own size, up to 8.5 megapixels; frames of other formats have the size of the first. The end of the stream and
    silence are faults: CameraError, and the caller opens it again. User and password stay out of descriptions and
    errors.
    """

    lossless = False
    # A network camera may send a still scene twice, bit for bit.
    has_noise = False
    stalls = True

    def __init__(self, url: str, *, wait_s: float, fps: float | None = None, least: tuple[int, int] = (1, 1)) -> None:
        """Open the stream.

        fps: pictures a second to request, if there is one a request; None: one a second.
        least: (width, height) below which no large JPEG is reduced.
        Raises ConfigError if `url` is not the URL of a stream, CameraError if the camera does not answer within
        `wait_s` seconds, refuses, or sends no video."""
        require_stream(url)
        self._url, self._shown = url, masked(url)
        self._wait_s, self._fps, self._least = wait_s, fps, least
        self.description = f"stream {self._shown}"
        self._sends_jpegs = False
        self._left_out, self._last_left_out, self._good = 0, "", False
        self._web: WebCamera | None = None
        if url.startswith("http"):
            self._web = WebCamera(url, require_stream, wait_s=wait_s, fps=fps)
        self._grabber: Grabber[Capture] = Grabber(
            self._open,
            open_s=wait_s,
            wait_s=wait_s,
            why_silent=self._why_silent,
            goes_on=lambda: self._web is not None and self._web.goes_on,
            decode=self._decode,
        )

    def read(self) -> Frame:
        """See FrameSource.read; gives up after `wait_s` without a frame."""
        return self._grabber.read()

    def close(self) -> None:
        """See FrameSource.close."""
        if self._web is not None:
            self._web.close()
        self._grabber.close()

    def _open(self) -> Capture:
        if self._web is None:
            return self._open_ffmpeg(web=False)
        try:
            kind = self._web.open()
        except TimeoutError:
            self._web.release()
            raise CameraError(self._why_silent()) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._web.release()
            raise CameraError(f"stream {self._shown}: cannot be opened: {in_words(error)}: {_CHECK}") from error
        if kind == "video":
            self._web.release()
            self._web = None
            return self._open_ffmpeg(web=True)
        self._sends_jpegs = True
        size = "" if self._web.size is None else f" {self._web.size[0]}x{self._web.size[1]}"
        polled = f", one picture a request, {self._fps or POLL_FPS:g} a second" if self._web.polls else ""
        self.description = f"stream {self._shown}{size}{polled}"
        return self._web

    def _open_ffmpeg(self, *, web: bool) -> Capture:
        started_s = time.monotonic()
        wait_ms = int(self._wait_s * 1000)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, wait_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, wait_ms]
        capture = open_stream(self._url, limits, web=web)
        if not capture.isOpened():
            capture.release()
            if time.monotonic() - started_s > 0.9 * self._wait_s:
                raise CameraError(self._why_silent())
            raise CameraError(f"stream {self._shown}: cannot be opened: {_CHECK}")
        size = [int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
        if (excess := too_large(*size)) is not None:
            capture.release()
            raise CameraError(f"stream {self._shown}: {excess}: choose a smaller size in the camera")
        self.description = f"stream {self._shown} {size[0]}x{size[1]}"
        self._sends_jpegs = hands_over_jpegs(capture)
        return capture

    def _decode(self, read: Pixels) -> Pixels | None:
        if not self._sends_jpegs:
            return read
        try:
            image = decode_jpeg(read, least=self._least)
        except ImageError as error:
            self._left_out += 1
            self._last_left_out = str(error)
            # With no good picture before it, it becomes the reason of a fault. A camera that is opened again and again
            # brings the same one again and again.
            if self._good and self._shown not in _told:
                _told.add(self._shown)
                _log.warning("%s: left out a picture: %s; later ones are counted only", self.description, error)
            return None
        self._good = True
        return image

    def _why_silent(self) -> str:
        trouble = self._web.trouble if self._web is not None else ""
        left_out = ""
        if self._left_out:
            left_out = f"{were(self._left_out, 'picture')} left out, the last: {self._last_left_out}"
        also = "; ".join(filter(None, (trouble, left_out)))
        return (
            f"stream {self._shown}: no frame within {self._wait_s:g} s, or it ended{f' ({also})' if also else ''}: "
            "check the camera and the network; for a slow one raise camera.timeout_s"
        )

"""Open videos and streams with OpenCV's FFmpeg, within bounds.

FFmpeg fills in what is missing from a picture: a truncated JPEG gets the lower half of the previous picture. So JPEGs
are handed over undecoded, for edge.capture.jpeg.
"""

import ctypes
import logging
import os
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from edge.capture.jpeg import MOST_PIXELS

if TYPE_CHECKING:
    import cv2

_log = logging.getLogger(__name__)

# OpenCV passes no options on to FFmpeg's decoders, so these cannot be made to refuse a truncated picture: `err_detect`
# and `flags` changed nothing (OpenCV 5.0, FFmpeg 62.28, 2026-11). Hence `decode_jpeg`.
#
# The first option is OpenCV's own default, which any option given here replaces. The second drops a packet that was
# cut at the end of a connection, and an MPEG transport stream's packet that lacks a part. It does not look into whole
# packets, so cameras that bend the rules are received as before.
_OPTIONS = "rtsp_flags;prefer_tcp|fflags;+discardcorrupt"
_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
# What a web server may send that is more than JPEGs, and from where it may have FFmpeg fetch more of it. The others of
# FFmpeg's 300 formats include raw pictures of any size, and lists of files of this machine.
_WEB_OPTIONS = "|format_whitelist;mpegts,mov,mp4,flv,matroska,webm,hls|protocol_whitelist;http,https,tcp,tls,crypto"
# A picture of 100 megapixels in B, G, R, which is the largest that FFmpeg allocates in one piece, and its padding.
_MOST_BYTES = 3 * MOST_PIXELS + (1 << 20)
_environment = threading.Lock()


def open_ffmpeg(name: str, settings: list[int] | None = None, *, web: bool = False) -> "cv2.VideoCapture":
    """Return a capture of the file or URL `name`, which may have failed to open.

    settings: OpenCV properties and values in turn. If the user has set OPENCV_FFMPEG_CAPTURE_OPTIONS, it stays.
    web: `name` is the URL of a web server, which may send a few formats only.
    """
    import cv2

    _limit_memory()
    with _environment:
        before = os.environ.get(_VARIABLE)
        os.environ[_VARIABLE] = (before or _OPTIONS) + (_WEB_OPTIONS if web else "")
        try:
            capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG, settings or [])
        finally:
            if before is None:
                del os.environ[_VARIABLE]
            else:
                os.environ[_VARIABLE] = before
    return capture


def too_large(capture: "cv2.VideoCapture") -> str | None:
    """Return the size of a capture's pictures, in words, if they have over 100 megapixels; None if not."""
    import cv2

    width, height = (int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height <= MOST_PIXELS:
        return None
    return f"{width}x{height} is {width * height / 1e6:.0f} megapixels, at most {MOST_PIXELS // 1_000_000}"


def hands_over_jpegs(capture: "cv2.VideoCapture") -> bool:
    """If `capture` holds JPEG pictures, make it deliver them undecoded, for `decode_jpeg`, and return True.

    Must be called before the first read.
    """
    import cv2

    is_jpeg = int(capture.get(cv2.CAP_PROP_FOURCC)) == cv2.VideoWriter.fourcc(*"MJPG")
    return is_jpeg and capture.set(cv2.CAP_PROP_FORMAT, -1)


@cache
def _limit_memory() -> None:
    """Bound what FFmpeg allocates in one piece, in this process."""
    # FFmpeg decodes a first picture while it opens, before its size can be looked at, and OpenCV offers no limit. The
    # function is av_max_alloc of the libavutil that OpenCV has loaded, whatever its version.
    loaded = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/libavutil" in line}
    for library in loaded:
        ctypes.CDLL(library).av_max_alloc(ctypes.c_size_t(_MOST_BYTES))
    if not loaded:
        _log.debug("OpenCV has no libavutil of its own: FFmpeg's memory has no limit")

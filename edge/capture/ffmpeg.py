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
# Such a capture opens no decoder: what it reports is what the container claims.
_NO_DECODERS = "|codec_whitelist;none"
_LOG_VARIABLE, _LOG_QUIET = "OPENCV_FFMPEG_LOGLEVEL", "-8"  # AV_LOG_QUIET
# The largest picture of H.264 and H.265 up to level 6.2. Decoders keep up to 17 pictures.
MOST_PIXELS = 8192 * 4352
_PADDING_BYTES = 1 << 20
_MOST_PIXEL_BYTES = 8  # red, green, blue and opacity, 16 bits each
# A picture of 4K in B, G, R: what a stream may grow to if its camera changes the size.
_LEAST_LIMIT = 3 * 8_500_000 + _PADDING_BYTES
# The index of a recording of days. It is no larger than the file, which has a byte or more for each picture.
_MOST_INDEX_BYTES = 300_000_000
_environment = threading.Lock()


def open_stream(url: str, settings: list[int], *, web: bool) -> "cv2.VideoCapture":
    """Return a capture of `url`, which may have failed to open.

    settings: OpenCV properties and values in turn. If the user has set OPENCV_FFMPEG_CAPTURE_OPTIONS, it stays.
    web: `url` is that of a web server, which may send a few formats only.
    """
    # One plane of 8 bits. A decoder that is opened to find the size out takes two or three of these.
    _limit_memory(MOST_PIXELS + _PADDING_BYTES)
    capture = _open(url, settings, _WEB_OPTIONS if web else "")
    _limit_to_size(capture)
    return capture


def claimed_size(path: Path) -> tuple[int, int]:
    """Return the (width, height) in pixels that a video's container claims, with no picture decoded; (0, 0) if it
    claims none, or is no video."""
    _limit_memory(_MOST_INDEX_BYTES)
    capture = _open(str(path), [], _NO_DECODERS, quiet=True)
    size = _size(capture)
    capture.release()
    return size


def open_video(path: Path, claimed: tuple[int, int]) -> "cv2.VideoCapture":
    """Return a capture of the file `path`, an absolute one, which may have failed to open.

    claimed: its claimed_size. A picture that takes more memory than that, and than one of 4K, is not decoded.
    """
    _limit_memory(max(_picture_bytes(*claimed), min(path.stat().st_size, _MOST_INDEX_BYTES)))
    capture = _open(str(path), [], "", quiet=True)
    _limit_to_size(capture)
    return capture


def _open(name: str, settings: list[int], options: str, *, quiet: bool = False) -> "cv2.VideoCapture":
    """Open `name` with FFmpeg's `options` beside our own or the user's.

    quiet: from here on FFmpeg and OpenCV print nothing in this process, unless the user has set their variables for
    more than errors; all of these are returned, too. FFmpeg only if this is the first that is opened.
    """
    import cv2

    logging_ = cv2.utils.logging
    if quiet and logging_.getLogLevel() <= logging_.LOG_LEVEL_ERROR:
        logging_.setLogLevel(logging_.LOG_LEVEL_SILENT)
    with _environment:
        given = {_VARIABLE: os.environ.get(_VARIABLE, _OPTIONS) + options}
        if quiet:
            given[_LOG_VARIABLE] = os.environ.get(_LOG_VARIABLE, _LOG_QUIET)
        before = {variable: os.environ.get(variable) for variable in given}
        os.environ.update(given)
        try:
            return cv2.VideoCapture(name, cv2.CAP_FFMPEG, settings)
        finally:
            for variable, value in before.items():
                if value is None:
                    del os.environ[variable]
                else:
                    os.environ[variable] = value


def _size(capture: "cv2.VideoCapture") -> tuple[int, int]:
    import cv2

    return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))


def too_large(width: int, height: int) -> str | None:
    """Return the size of a video's pictures, in words, if they have more than MOST_PIXELS; None if not."""
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


def _limit_to_size(capture: "cv2.VideoCapture") -> None:
    """Let no later picture take more than one of the capture's size, or of 4K: the size may change in mid-stream."""
    width, height = _size(capture)
    if width * height <= MOST_PIXELS:
        _limit_memory(_picture_bytes(width, height))


def _picture_bytes(width: int, height: int) -> int:
    """Return what a picture of this size may take in one piece."""
    return max(_LEAST_LIMIT, _MOST_PIXEL_BYTES * width * height + _PADDING_BYTES)


def _limit_memory(size: int) -> None:
    """Bound what FFmpeg allocates in one piece, in this process."""
    # FFmpeg decodes a first picture while it opens, before its size can be looked at, and OpenCV offers no limit. The
    # function is av_max_alloc of the libavutil that OpenCV has loaded, whatever its version.
    for library in _libavutil():
        library.av_max_alloc(ctypes.c_size_t(size))


@cache
def _libavutil() -> tuple[ctypes.CDLL, ...]:
    import cv2  # noqa: F401 - loads it

    loaded = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/libavutil" in line}
    if not loaded:
        _log.debug("OpenCV has no libavutil of its own: FFmpeg's memory has no limit")
    return tuple(map(ctypes.CDLL, sorted(loaded)))

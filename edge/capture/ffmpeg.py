"""Open videos and streams with OpenCV's FFmpeg, and deliver whole pictures only.

FFmpeg fills in what is missing from a picture: a truncated JPEG gets the lower half of the previous picture.
"""

import os
from typing import TYPE_CHECKING

import numpy as np

from edge.records import Pixels

if TYPE_CHECKING:
    import cv2

# OpenCV passes no options on to FFmpeg's decoders, so these cannot be made to refuse a truncated picture: `err_detect`
# and `flags` changed nothing (OpenCV 5.0, FFmpeg 62.28, 2026-11). Hence `whole_jpeg` below.
#
# The first option is OpenCV's own default, which any option given here replaces. The second drops a packet that was
# cut at the end of a connection, and an MPEG transport stream's packet that lacks a part. It does not look into whole
# packets, so cameras that bend the rules are received as before.
_OPTIONS = "rtsp_flags;prefer_tcp|fflags;+discardcorrupt"
_JPEG_BEGINS, _SCAN_BEGINS, _JPEG_ENDS = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


def open_ffmpeg(name: str, settings: list[int] | None = None) -> "cv2.VideoCapture":
    """Return a capture of the file or URL `name`, which may have failed to open.

    settings: OpenCV properties and values in turn. If the user has set OPENCV_FFMPEG_CAPTURE_OPTIONS, it stays.
    """
    import cv2

    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", _OPTIONS)
    return cv2.VideoCapture(name, cv2.CAP_FFMPEG, settings or [])


def hands_over_jpegs(capture: "cv2.VideoCapture") -> bool:
    """If `capture` holds JPEG pictures, make it deliver them undecoded, for `whole_jpeg`, and return True.

    Must be called before the first read.
    """
    import cv2

    is_jpeg = int(capture.get(cv2.CAP_PROP_FOURCC)) == cv2.VideoWriter.fourcc(*"MJPG")
    return is_jpeg and capture.set(cv2.CAP_PROP_FORMAT, -1)


def whole_jpeg(packet: Pixels) -> Pixels | None:
    """Decode a JPEG to uint8 (height, width, 3), B, G, R, in its own size. None if it is truncated or not a JPEG.

    packet: uint8, flat. A JPEG that lacks bytes in the middle passes: its rest is grey or shifted, but never shows
    another picture.
    """
    import cv2

    data = packet.tobytes()
    # Compressed pixels never hold a marker, and a preview inside the file ends before they begin.
    if not data.startswith(_JPEG_BEGINS) or data.rfind(_JPEG_ENDS) <= data.rfind(_SCAN_BEGINS):
        return None
    image = cv2.imdecode(packet, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if image is None else np.asarray(image, dtype=np.uint8)

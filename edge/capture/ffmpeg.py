"""OpenCV's FFmpeg, made to hand over whole pictures only.

FFmpeg hides what is missing from a picture: a JPEG that was cut off comes with the lower half of the picture before.
OpenCV passes no options on to FFmpeg's decoders, so none of them can be told to refuse such a picture (`err_detect`
and `flags` changed nothing; OpenCV 5.0, FFmpeg 62.28, 2026-11).
"""

import os
from typing import TYPE_CHECKING

import numpy as np

from edge.records import Pixels

if TYPE_CHECKING:
    import cv2

# The first is OpenCV's own, which any option given here replaces. The second leaves out a packet that was cut at the
# end of a connection, or one of an MPEG transport stream that lacks a part. It is not strict: whole packets are not
# looked into, so cameras that bend the rules are received as before.
_OPTIONS = "rtsp_flags;prefer_tcp|fflags;+discardcorrupt"
_JPEG_BEGINS, _SCAN_BEGINS, _JPEG_ENDS = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


def open_ffmpeg(name: str, settings: list[int] | None = None) -> "cv2.VideoCapture":
    """A capture of the file or URL `name`, perhaps not open; `settings`: properties and values in turn. Options that
    the user gives FFmpeg in OPENCV_FFMPEG_CAPTURE_OPTIONS stand."""
    import cv2

    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", _OPTIONS)
    return cv2.VideoCapture(name, cv2.CAP_FFMPEG, settings or [])


def hands_over_jpegs(capture: "cv2.VideoCapture") -> bool:
    """Where `capture`, of which nothing was read yet, is of JPEG pictures, let it hand them over as they came, for
    `whole_jpeg`."""
    import cv2

    is_jpeg = int(capture.get(cv2.CAP_PROP_FOURCC)) == cv2.VideoWriter.fourcc(*"MJPG")
    return is_jpeg and capture.set(cv2.CAP_PROP_FORMAT, -1)


def whole_jpeg(packet: Pixels) -> Pixels | None:
    """The picture in its own size, uint8, B, G, R, or None where the JPEG is cut off or none.

    One with a hole in it that ends as it should is not told from a whole one: its rest is grey or shifted, but never
    of another picture.
    """
    import cv2

    data = packet.tobytes()
    # Compressed pixels never hold a marker, and a preview inside the file ends before they begin.
    if not data.startswith(_JPEG_BEGINS) or data.rfind(_JPEG_ENDS) <= data.rfind(_SCAN_BEGINS):
        return None
    image = cv2.imdecode(packet, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if image is None else np.asarray(image, dtype=np.uint8)

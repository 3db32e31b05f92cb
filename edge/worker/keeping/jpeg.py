"""Turn frames into JPEGs, and these into files that can be sent."""

import fcntl
import logging
import os
from dataclasses import dataclass

import cv2

from edge.records import Pixels

_log = logging.getLogger(__name__)

# The receiver may rely on a file that no one changes any more, nor this worker when it goes wrong.
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A frame as JPEG. width, height: in pixels."""

    data: bytes
    captured_mono_s: float
    width: int
    height: int


class JpegEncoder:
    """An encoder of one quality, which first reduces a longer side to `max_side` pixels."""

    def __init__(self, *, max_side: int, quality: int) -> None:
        self.max_side, self.quality = max_side, quality
        self._failed = False

    def encode(self, image_bgr: Pixels, captured_mono_s: float) -> Jpeg | None:
        """Return the picture; None if there is no memory for it, which is logged once.

        image_bgr: uint8 (height, width, 3), B, G, R; it is not changed.
        """
        try:
            small_bgr = shrunk(image_bgr, self.max_side)
            _, data = cv2.imencode(".jpg", small_bgr, (cv2.IMWRITE_JPEG_QUALITY, self.quality))
        except (cv2.error, MemoryError) as error:
            _log.log(
                logging.DEBUG if self._failed else logging.WARNING,
                "a picture of %d x %d was not encoded: %s",
                image_bgr.shape[1],
                image_bgr.shape[0],
                " ".join(str(error).split()) or "no memory",
            )
            self._failed = True
            return None
        height, width = small_bgr.shape[:2]
        return Jpeg(data.tobytes(), captured_mono_s, width, height)


def shrunk(image_bgr: Pixels, max_side: int) -> Pixels:
    """Return the picture with its longer side reduced to `max_side`; itself if that is no longer.

    image_bgr: uint8 (height, width, 3).
    """
    height, width = image_bgr.shape[:2]
    if max(height, width) <= max_side:
        return image_bgr
    scale = max_side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    # For people and for training, not for the model at once: no bits need be the same on every platform.
    small: Pixels = cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return small


def as_file(data: bytes) -> int:
    """Return a new open file in memory with this content, sealed against changes, at its begin. The caller must close
    it. Raises OSError."""
    file = os.memfd_create("picture", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(file, left) :]
        os.lseek(file, 0, os.SEEK_SET)
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
    except OSError:
        os.close(file)
        raise
    return file

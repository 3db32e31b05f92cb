"""Convert camera buffers in libcamera's pixel formats to B, G, R pictures. Pure.

The names are libcamera's, which count from the low byte: RGB888 is B, G, R in memory, and BGR888 is R, G, B.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import CameraError
from edge.records import Pixels

# Bytes a pixel, and the conversion to B, G, R; None if the bytes are in this order already.
_PACKED: dict[str, tuple[int, int | None]] = {
    "RGB888": (3, None),
    "BGR888": (3, cv2.COLOR_RGB2BGR),
    "XRGB8888": (4, cv2.COLOR_BGRA2BGR),
    "XBGR8888": (4, cv2.COLOR_RGBA2BGR),
    "YUYV": (2, cv2.COLOR_YUV2BGR_YUYV),
    "UYVY": (2, cv2.COLOR_YUV2BGR_UYVY),
}
# A full plane of Y, then colour at half the width and height: 1.5 bytes a pixel.
_PLANAR: dict[str, int] = {
    "YUV420": cv2.COLOR_YUV2BGR_I420,
    "YVU420": cv2.COLOR_YUV2BGR_YV12,
    "NV12": cv2.COLOR_YUV2BGR_NV12,
    "NV21": cv2.COLOR_YUV2BGR_NV21,
}
KNOWN = frozenset(_PACKED) | frozenset(_PLANAR)


def to_bgr(buffer: NDArray[np.uint8], name: str, size: tuple[int, int], stride: int) -> Pixels:
    """Convert one frame to uint8 (height, width, 3), B, G, R, contiguous.

    buffer: uint8, flat, the camera's bytes.
    name: libcamera's name of the format, one of KNOWN.
    size: (width, height), both even for the planar formats.
    stride: bytes from one row to the next, padding included.

    YUV is taken as BT.601 in video range. The result is a view of `buffer` if that is contiguous B, G, R already,
    else new memory. Raises CameraError if the format is unknown or the buffer too short.
    """
    width, height = size
    if name in _PACKED:
        bytes_a_pixel, conversion = _PACKED[name]
        _require(buffer, name, size, stride, rows=height, row_bytes=width * bytes_a_pixel)
        picture: Pixels = np.ndarray((height, width, bytes_a_pixel), np.uint8, buffer, 0, (stride, bytes_a_pixel, 1))
        return np.ascontiguousarray(picture) if conversion is None else _converted(picture, conversion)
    if name in _PLANAR:
        rows = height * 3 // 2
        _require(buffer, name, size, stride, rows=rows, row_bytes=width)
        padded = _converted(buffer[: rows * stride].reshape(rows, stride), _PLANAR[name])
        return np.ascontiguousarray(padded[:, :width])
    raise CameraError(f"pixel format {name}: must be one of {', '.join(sorted(KNOWN))}")


def _require(
    buffer: NDArray[np.uint8], name: str, size: tuple[int, int], stride: int, *, rows: int, row_bytes: int
) -> None:
    least = (rows - 1) * stride + row_bytes if name in _PACKED else rows * stride
    if stride < row_bytes or buffer.size < least:
        raise CameraError(
            f"the camera's buffer holds {buffer.size} bytes in rows of {stride}; {name} at {size[0]}x{size[1]} "
            f"needs {least} in rows of at least {row_bytes}: update libcamera and picamera2"
        )


def _converted(picture: Pixels, conversion: int) -> Pixels:
    return np.asarray(cv2.cvtColor(picture, conversion), dtype=np.uint8)

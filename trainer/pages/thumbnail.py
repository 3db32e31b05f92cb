"""Small pictures for pages, as JPEG bytes and as `data:` addresses, so that a page needs no other file."""

import base64

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 200
JPEG_QUALITY = 78


def encode(picture_rgb: NDArray[np.uint8], size: tuple[int, int] | None = None) -> bytes:
    """Return a JPEG of `picture_rgb`, uint8 (height, width, 3), R, G, B. Raises ValueError if it is something else.

    size: (width, height); without it the longer side is at most SIDE pixels, and the proportions are kept."""
    if size is None:
        height, width = picture_rgb.shape[:2]
        size = fitted(width, height, min(SIDE, max(height, width)))
    small = cv2.resize(picture_rgb, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"a thumbnail must be uint8 (height, width, 3), this one is {picture_rgb.shape}")
    return bytes(data)


def fitted(width: int, height: int, side: int) -> tuple[int, int]:
    """Return (width, height) scaled so that the longer side is `side` pixels; both are at least 1."""
    scale = side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def data_url(data: bytes, mime: str = "image/jpeg") -> str:
    """Return `data` as a `data:` address for use in a page."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"

"""Turn a picture of Pillow's into pixels, piece by piece: never a second picture of its size beside it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from edge.records import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

# Pillow keeps 4 bytes a pixel, and copies all of them for each conversion: of a piece, 16 MB.
_PIECE = 1 << 22
_TRANSPARENT = frozenset({"RGBA", "LA", "PA", "La", "RGBa"})
_WHITE = (255, 255, 255, 255)


def flatten(image: "Image") -> Pixels:
    """Return the loaded picture on white: uint8 (height, width, 3), B, G, R, contiguous."""
    width, height = image.size
    pixels_bgr = np.empty((height, width, 3), np.uint8)
    for left, top, right, bottom in _pieces(width, height):
        piece = _on_white(image.crop((left, top, right, bottom)))
        pixels_bgr[top:bottom, left:right] = np.asarray(piece)[:, :, ::-1]
    return pixels_bgr


def turn(pixels: Pixels, orientation: int) -> Pixels:
    """Return the pixels turned upright by EXIF's orientation, 1 to 8; contiguous."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _pieces(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    rows, columns = max(1, _PIECE // width), min(width, _PIECE)
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield left, top, min(left + columns, width), min(top + rows, height)


def _on_white(image: "Image") -> "Image":
    from PIL import Image

    if image.mode in _TRANSPARENT or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, _WHITE), rgba)
    return image if image.mode == "RGB" else image.convert("RGB")

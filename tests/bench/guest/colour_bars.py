"""Test patterns: which bars are in a picture, from left to right."""

import numpy as np
from numpy.typing import NDArray

# B, G, R; libcamera's and the kernel's bars alike.
_BARS = {
    "white": (1, 1, 1),
    "yellow": (0, 1, 1),
    "cyan": (1, 1, 0),
    "green": (0, 1, 0),
    "magenta": (1, 0, 1),
    "red": (0, 0, 1),
    "blue": (1, 0, 0),
    "black": (0, 0, 0),
}
ORDER = tuple(_BARS)
_LEAST_WIDTH = 20


def bars(image_bgr: NDArray[np.uint8], *, bright: int, within: int = 24) -> list[str]:
    """The colours of one row at three quarters of the height, each named once as it comes, narrow ones left out.

    bright: the value that a full channel has; within: how far each channel may be from it."""
    row = image_bgr[image_bgr.shape[0] * 3 // 4].astype(int)
    found: list[str] = []
    since, last = 0, ""
    for x, pixel in enumerate([*row, None]):
        name = "" if pixel is None else _name(pixel, bright, within)
        if name != last:
            if last and x - since >= _LEAST_WIDTH:
                found.append(last)
            since, last = x, name
    return found


def in_order(found: list[str]) -> bool:
    """Do they follow each other as in the pattern, whichever is first?"""
    begins = ORDER.index(found[0]) if found else 0
    expected = [ORDER[(begins + step) % len(ORDER)] for step in range(len(found))]
    return len(set(found)) == len(ORDER) and found == expected


def _name(pixel: NDArray[np.int64], bright: int, within: int) -> str:
    for name, channels in _BARS.items():
        if np.abs(pixel - np.array(channels) * bright).max() <= within:
            return name
    return ""

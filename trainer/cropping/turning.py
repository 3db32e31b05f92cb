"""Turn boxes of a stored picture upright, as EXIF's orientation turns the picture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Shares = NDArray[np.float64]


def turned(boxes: Shares, orientation: int) -> Shares:
    """Return boxes, (n, 4) as left, top, width and height in shares, of the stored picture in those of the upright one.

    orientation: EXIF's, 1 to 8.
    """
    left, top, width, height = boxes.T
    from_right, from_bottom = 1 - left - width, 1 - top - height
    sides: dict[int, tuple[Any, Any]] = {
        1: (left, top),
        2: (from_right, top),
        3: (from_right, from_bottom),
        4: (left, from_bottom),
        5: (top, left),
        6: (from_bottom, left),
        7: (from_bottom, from_right),
        8: (top, from_right),
    }
    size = (height, width) if orientation >= 5 else (width, height)
    return np.stack([*sides[orientation], *size], axis=1)

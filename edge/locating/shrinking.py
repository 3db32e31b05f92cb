"""Reduce frames to small grey pictures, in memory that is taken once for each size of frame."""

import cv2
import numpy as np

from edge.records import Pixels

# Halved while a quarter of the pixels would still be so many: 640x480 becomes 160x120, 1920x1080 240x135.
_LEAST_PIXELS = 12_000


class Shrinker:
    """Reduces frames of one size at a time. For one thread.

    grey: the small picture of the last frame, uint8 (height, width); overwritten by the next.
    """

    def __init__(self) -> None:
        self.grey: Pixels = np.empty((0, 0), np.uint8)
        self._shape: tuple[int, ...] = ()
        self._steps: list[Pixels] = []
        self._channels: list[Pixels] = []

    def shrink(self, frame_bgr: Pixels) -> bool:
        """Reduce a frame, uint8 (height, width, 3), B, G, R. Return True if its size is another than the last one's."""
        is_new = frame_bgr.shape != self._shape
        if is_new:
            self._take_memory(frame_bgr.shape)
        # Green, and not a sum of the three: if a sensor clips one colour, as the red of something yellow, the sum
        # no longer follows the light, and nothing in it shows that. Most of brightness is green anyway.
        # All three are taken apart, as OpenCV does that with vectors, and one alone without.
        cv2.split(frame_bgr, self._channels)
        source = self._channels[1]
        for step in self._steps:
            height, width = step.shape
            # Means of 2x2 are integer arithmetic, with the same bits everywhere; a last odd row or column is left out.
            even = source[: 2 * height, : 2 * width]
            cv2.resize(even, (width, height), dst=step, interpolation=cv2.INTER_AREA)
            source = step
        self.grey = source
        return is_new

    def _take_memory(self, shape: tuple[int, ...]) -> None:
        height, width = shape[:2]
        self._channels = [np.empty((height, width), np.uint8) for _ in range(3)]
        self._steps = []
        while height * width // 4 >= _LEAST_PIXELS and min(height, width) >= 2:
            height, width = height // 2, width // 2
            self._steps.append(np.empty((height, width), np.uint8))
        self._shape = shape

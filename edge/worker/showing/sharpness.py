"""Measure how sharp a part of a picture is, to set a lens by."""

import cv2
import numpy as np

from edge.records import Pixels

# So much of the middle is measured: enough for any lens, and 1.6 ms (x86-64, 2026-11).
_MOST_SIDE = 1024
# In the dark a sensor's noise is all there is: it must not pass for sharpness.
_LEAST_MEAN = 32.0
# OpenCV's Laplacian of 5 x 5 pixels smooths as it derives, in whole numbers that just fit into 16 bits: noise differs
# from pixel to pixel, and no lens draws an edge as fine as that. It is so many times larger than the plain Laplacian.
_SMOOTHING, _GAIN = 5, 64.0


class Sharpness:
    """Measures parts of pictures, in memory of its own that is used again. Used by one thread."""

    def __init__(self) -> None:
        self._grey = np.empty((0, 0), np.uint8)
        self._edges = np.empty((0, 0), np.int16)

    def of(self, image_bgr: Pixels) -> float:
        """Return the sharpness of a picture's middle, from 0: 100 times the standard deviation of its Laplacian, as a
        share of its mean brightness. Raises cv2.error.

        It is the highest if the lens is set best. The brightness cancels, as the camera's own exposure changes it. It
        depends on what is seen, so only figures of one scene may be compared.

        image_bgr: uint8 (height, width, 3), in the camera's own resolution: a reduced picture is sharp anyway.
        """
        height, width = image_bgr.shape[:2]
        top, left = max(0, height - _MOST_SIDE) // 2, max(0, width - _MOST_SIDE) // 2
        middle_bgr = image_bgr[top : top + _MOST_SIDE, left : left + _MOST_SIDE]
        if self._grey.shape != middle_bgr.shape[:2]:
            self._grey = np.empty(middle_bgr.shape[:2], np.uint8)
            self._edges = np.empty(self._grey.shape, np.int16)
        cv2.cvtColor(middle_bgr, cv2.COLOR_BGR2GRAY, dst=self._grey)
        cv2.Laplacian(self._grey, cv2.CV_16S, dst=self._edges, ksize=_SMOOTHING)
        _, deviation = cv2.meanStdDev(self._edges)
        mean = float(cv2.mean(self._grey)[0])
        return 100.0 / _GAIN * float(deviation[0, 0]) / max(mean, _LEAST_MEAN)

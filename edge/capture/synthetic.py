"""A camera that needs no hardware: a disc that wanders over a colour field, for trying things out."""

import math

import cv2
import numpy as np

from edge.capture.pace import Pacer
from edge.clock import stamp
from edge.records import Frame


class SyntheticSource:
    """Endless frames of one size, the same ones at every start; fps None: as fast as they are taken."""

    def __init__(self, *, width: int, height: int, fps: float | None) -> None:
        self._width, self._height, self._fps = width, height, fps
        self._pacer = Pacer(fps)
        self._sequence = 0
        corners = np.array([[[40, 90, 60], [90, 140, 70]], [[70, 60, 110], [150, 120, 90]]], np.uint8)
        self._field = np.asarray(cv2.resize(corners, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)

    @property
    def description(self) -> str:
        """As FrameSource.description."""
        rate = f"{self._fps:g} frames/s" if self._fps else "flat out"
        return f"synthetic camera {self._width}x{self._height}, {rate}"

    @property
    def lossless(self) -> bool:
        """As FrameSource.lossless."""
        return self._fps is None

    @property
    def has_noise(self) -> bool:
        """As FrameSource.has_noise."""
        return True

    def read(self) -> Frame:
        """As FrameSource.read; never ends by itself."""
        self._pacer.wait()
        image = self._field.copy()
        phase = self._sequence / 40
        centre = (
            round(self._width * (0.5 + 0.35 * math.cos(phase))),
            round(self._height * (0.5 + 0.35 * math.sin(1.7 * phase))),
        )
        cv2.circle(image, centre, min(self._width, self._height) // 6, (30, 200, 240), -1, cv2.LINE_AA)
        frame = Frame(image, self._sequence, *stamp())
        self._sequence += 1
        return frame

    def close(self) -> None:
        """As FrameSource.close."""
        self._pacer.stop()

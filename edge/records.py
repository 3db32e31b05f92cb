"""The worker's records that hold arrays: Frame and Scores. What leaves the worker is in edge.results."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture from a source.

    image_bgr: uint8, shape (height, width, 3), channels B, G, R, 0..255; never changed by the source afterwards.
    sequence: counts from 0, with a gap for every frame that the source itself skipped.
    captured_mono_s: monotonic clock at the exposure, as exactly as the source can give it.
    captured_wall_s: wall clock at the same moment, in seconds since 1970 UTC.
    name: the file behind a replayed frame.
    recorded_s: seconds since the begin of a recording, by its own times, however fast it is read; None for a camera.
    """

    image_bgr: Pixels
    sequence: int
    captured_mono_s: float
    captured_wall_s: float
    name: str | None = None
    recorded_s: float | None = None

    @property
    def second(self) -> float:
        """Return when it was taken, on a clock that all frames of its source share."""
        return self.captured_mono_s if self.recorded_s is None else self.recorded_s


@dataclass(frozen=True, slots=True)
class Scores:
    """Probability-like scores of one frame: float32, shape (classes,), each finite and in 0..1."""

    values: NDArray[np.float32]

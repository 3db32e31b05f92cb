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
    """

    image_bgr: Pixels
    sequence: int
    captured_mono_s: float
    captured_wall_s: float
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """Probability-like scores of one frame: float32, shape (classes,), each finite and in 0..1."""

    values: NDArray[np.float32]

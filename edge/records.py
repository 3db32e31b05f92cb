"""The array records that travel along the worker's path: Frame -> Scores. What leaves it is in edge.results."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture from a source.

    image_bgr: uint8, shape (height, width, 3), channels B, G, R, 0..255; owned by the frame, never reused
    by the source. sequence counts from 0 and has a gap for every frame the source itself skipped.
    captured_mono_s is the monotonic clock when the frame was exposed, or as near to it as the source knows;
    captured_wall_s the wall clock at the same moment, in seconds since 1970 UTC.
    name is the file behind a replayed frame.
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

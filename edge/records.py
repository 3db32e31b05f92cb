"""The small frozen records that travel along the device's path: Frame -> Scores -> Decision -> Result."""

from dataclasses import dataclass

import msgspec
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


class Candidate(msgspec.Struct, frozen=True):
    """One label with its score, 0..1."""

    label: str
    score: float


class Decision(msgspec.Struct, frozen=True):
    """What the device says that it sees.

    label is `unknown` where the best score lies under the threshold; top holds the best candidates,
    best first, whether or not they pass it.
    """

    label: str
    score: float
    top: tuple[Candidate, ...]


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds spent in each stage; total runs from capture to decision."""

    wait: float
    preprocess: float
    inference: float
    postprocess: float
    total: float


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of output: a decision, where it came from and what it cost.

    dropped counts the frames that newer ones replaced before they could be classified, since start.
    fallback says why a lesser engine than the one asked for serves, and is absent where none does.
    """

    frame: int
    label: str
    score: float
    top: tuple[Candidate, ...]
    captured_wall_s: float
    captured_mono_s: float
    latency_ms: Latency
    engine: str
    bundle: str
    dropped: int
    image: str | None = None
    fallback: str | None = None

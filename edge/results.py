"""What leaves the worker: small frozen records without arrays, so that the supervisor needs no NumPy."""

import msgspec


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

    frame and dropped (frames that newer ones replaced before they could be classified) count from 0 each time the
    camera is opened, also after a fault; edge.supervision.status counts through.
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

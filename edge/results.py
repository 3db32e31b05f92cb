"""Define what leaves the worker: small frozen records without arrays, so that the supervisor needs no NumPy."""

import msgspec

# The label of a decision whose best score is under its threshold. No bundle has a label of this name.
UNKNOWN = "unknown"

# Left, top, width and height as shares of the whole frame, as in Camtrap DP and in MegaDetector's results.
Box = tuple[float, float, float, float]


class Candidate(msgspec.Struct, frozen=True):
    """One label with its score, 0..1."""

    label: str
    score: float


class Decision(msgspec.Struct, frozen=True):
    """What is in the picture.

    label: the best label, UNKNOWN if its score is under its threshold.
    score: the best score.
    top: the best candidates, best first, whether or not they reach their thresholds.
    box: what was found and cut out of the frame; None: all of it was classified.
    """

    label: str
    score: float
    top: tuple[Candidate, ...]
    box: Box | None = None


class Other(msgspec.Struct, frozen=True):
    """Something else in the frame, classified too: label and score as in Decision, of its own cut alone."""

    label: str
    score: float
    box: Box


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds spent in each stage; total runs from capture to decision."""

    wait: float
    preprocess: float
    inference: float
    postprocess: float
    total: float


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of output: a decision, its frame and its cost.

    frame: the frame's number, from 0 each time the camera is opened, also after a fault.
    label, score, top, box: as in Decision.
    others: what else was found in the frame and classified, in the order in which it was.
    captured_wall_s, captured_mono_s: when the frame was captured, on both clocks.
    dropped: frames that newer ones replaced before inference; zero point as for `frame`. The status counts from the
        start of the service instead.
    image: the file's name if the frame came from one.
    fallback: why the engine is not the one in the settings; absent if it is.
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
    box: Box | None = None
    others: tuple[Other, ...] = ()
    fallback: str | None = None


class FrameCounts(msgspec.Struct, frozen=True, array_like=True):
    """What became of the frames. Whoever holds one documents its zero point.

    captured: frames that the camera gave.
    dropped: frames that a newer one replaced before inference.
    repeated: frames that the camera gave twice.
    turned_away: fresh frames that the gate did not let through to inference.
    decided: frames with a decision, including those whose result was too old to publish.
    """

    captured: int = 0
    dropped: int = 0
    repeated: int = 0
    turned_away: int = 0
    decided: int = 0

    def plus(self, other: "FrameCounts") -> "FrameCounts":
        """Return the sum, field by field."""
        return FrameCounts(
            self.captured + other.captured,
            self.dropped + other.dropped,
            self.repeated + other.repeated,
            self.turned_away + other.turned_away,
            self.decided + other.decided,
        )

    @property
    def looked_at(self) -> int:
        """Fresh frames that were judged: turned away by the gate, or decided on."""
        return self.turned_away + self.decided

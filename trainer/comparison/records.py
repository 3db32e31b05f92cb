"""Define what a comparison of two bundles finds."""

from dataclasses import dataclass

import msgspec

from trainer.measuring.metrics import Interval
from trainer.measuring.paired import Paired
from trainer.measuring.threshold import CurvePoint, ThresholdEffect


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle and its results.

    path: the bundle's file or folder.
    width, height: of its input, in pixels.
    bytes_model: size of its int8 model.
    invoke_ms: median time of one inference on this computer.
    top1: share of right answers, with its interval.
    threshold: its own threshold for unknown.
    at_threshold: the result with that threshold.
    curve: the results with other thresholds.
    """

    path: str
    bundle_id: str
    width: int
    height: int
    bytes_model: int
    invoke_ms: float
    top1: Interval
    threshold: float
    at_threshold: ThresholdEffect
    curve: tuple[CurvePoint, ...]


class ClassContest(msgspec.Struct, frozen=True):
    """One class.

    photos: how many there are.
    right_a, right_b: how many A, or B, names rightly.
    only_a, only_b: how many only A, or only B, names rightly.
    """

    name: str
    photos: int
    right_a: int
    right_b: int
    only_a: int
    only_b: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a comparison.

    data: the folder of photos.
    split: 'train', 'val', 'test' or 'all'.
    photos: how many were compared on.
    unreadable: for each photo that was left out, the reason.
    near_duplicates: photos that are nearly the same as an earlier one; they are counted like any other.
    notes: warnings about the choice of photos.
    better: 'A' or 'B', the one with more right answers; None if both have the same number.
    certain: whether the difference is more than chance (McNemar's exact p under 0.05).
    verdict: both in a sentence.
    classes: class by class, sorted by name.
    """

    data: str
    split: str
    photos: int
    unreadable: tuple[str, ...]
    near_duplicates: int
    notes: tuple[str, ...]
    a: Contender
    b: Contender
    paired: Paired
    better: str | None
    certain: bool
    verdict: str
    classes: tuple[ClassContest, ...]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A photo that only one bundle named rightly.

    who: 'A' or 'B', the one that is right.
    name: the photo's file.
    truth: its class.
    other: the other bundle's answer.
    picture: a thumbnail, as JPEG.
    """

    who: str
    name: str
    truth: str
    other: str
    picture: bytes

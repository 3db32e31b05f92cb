"""Choose which of a photo's boxes become parts, as a device would."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.locating.detections import are_same
from edge.locating.places import Place, place_of
from trainer.cropping.boxes import Entry, Four, Unit
from trainer.cropping.turning import turned


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which boxes count.

    threshold: of the score. min_size: of the longer side, as a share of the photo's width. most: of one photo, the
    surest. categories: what they show; None: anything. stored: boxes are those of the stored picture, and not of the
    upright one.
    """

    threshold: float
    min_size: float
    most: int
    categories: Collection[str] | None = None
    stored: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The boxes of one photo.

    places: those that count, surest first, in pixels of the upright photo. categories: what each shows.
    left_out: how many others there are, by the reason. cut_off: how many of those that count reach past an edge.
    corners: how many of all boxes reach past an edge, and would fit as left, top, right and bottom.
    problem: why the entry cannot be this photo's; '' if it can.
    """

    places: tuple[Place, ...] = ()
    categories: tuple[str, ...] = ()
    left_out: "Counter[str]" = field(default_factory=Counter)
    cut_off: int = 0
    corners: int = 0
    problem: str = ""


_ROUNDING = 0.01
OTHER_KIND, NO_AREA, OUTSIDE, UNSURE, SMALL, BESIDE = (
    "of another kind",
    "without an area",
    "outside the photo",
    "under the threshold",
    "too small",
    "over another one, or one too many",
)


def choose(entry: Entry, unit: Unit, wanted: Wanted, size: tuple[int, int], orientation: int) -> Choice:
    """Return which boxes of `entry` count. size: width and height of the upright photo. orientation: EXIF's, 1 to 8."""
    theirs = size[::-1] if wanted.stored and orientation >= 5 else size
    if problem := _size_problem(entry, theirs, stored=wanted.stored):
        return Choice(problem=problem)
    kinds = wanted.categories
    kept = [given for given in entry.boxes if kinds is None or given.category in kinds]
    left_out = Counter({OTHER_KIND: len(entry.boxes) - len(kept)})
    scale = np.array([*(entry.size or theirs)] * 2 if unit == "pixels" else [1.0] * 4)
    corners = sum(_are_corners(box) for box in _shares([one.box for one in entry.boxes], scale).tolist())
    boxes = _shares([one.box for one in kept], scale)
    if wanted.stored:
        boxes = turned(boxes, orientation)
    places: list[Place] = []
    categories: list[str] = []
    cut_off = 0
    for box, given in sorted(zip(boxes.tolist(), kept, strict=True), key=lambda pair: -pair[1].score):
        place = _place_of(box, size)
        reason = place if isinstance(place, str) else _reason_against(place, places, given.score, wanted, size[0])
        if reason or isinstance(place, str):
            left_out[reason] += 1
        else:
            places.append(place)
            categories.append(given.category)
            cut_off += _reaches_past(box)
    return Choice(tuple(places), tuple(categories), +left_out, cut_off, corners)


def _shares(boxes: Sequence[Four], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return boxes as shares, (boxes, 4). scale: what 1 is in their unit."""
    return np.array(boxes, np.float64).reshape(-1, 4) / scale


def _reaches_past(box: Sequence[float]) -> bool:
    """Return whether a box in shares reaches past an edge of its picture, by more than rounding makes it."""
    left, top, wide, high = box
    return min(left, top) < -_ROUNDING or max(left + wide, top + high) > 1 + _ROUNDING


def _are_corners(box: Sequence[float]) -> bool:
    """Return whether a box in shares reaches past the right or bottom edge, and would fit as two corners."""
    left, top, right, bottom = box
    past = max(left + right, top + bottom) > 1 + _ROUNDING
    return past and -_ROUNDING <= left < right <= 1 + _ROUNDING and -_ROUNDING <= top < bottom <= 1 + _ROUNDING


def _place_of(box: Sequence[float], size: tuple[int, int]) -> Place | str:
    """Return the pixels of a box in shares, or why it has none."""
    left, top, wide, high = box
    if not (all(map(math.isfinite, box)) and wide > 0 and high > 0):
        return NO_AREA
    if left >= 1 or top >= 1 or left + wide <= 0 or top + high <= 0:
        return OUTSIDE
    return place_of((left, top, wide, high), *size)


def _reason_against(place: Place, chosen: Sequence[Place], score: float, wanted: Wanted, width: int) -> str:
    """Return why a box does not count; '' if it does. chosen: surer ones that do."""
    if not score >= wanted.threshold:
        return UNSURE
    if max(place.width, place.height) < wanted.min_size * width:
        return SMALL
    if len(chosen) >= wanted.most or any(are_same(place, other) for other in chosen):
        return BESIDE
    return ""


def _size_problem(entry: Entry, size: tuple[int, int], *, stored: bool) -> str:
    """Return why a photo of this size cannot be the one that the file means; '' if it can: copies of other sizes may
    be meant, but not of another shape."""
    if entry.size is None or _is_shape(entry.size, size):
        return ""
    seen = f"is {size[0]}x{size[1]}, and its boxes are of a picture of {entry.size[0]:g}x{entry.size[1]:g}"
    if _is_shape(entry.size, size[::-1]):
        return f"{seen}: {'leave out' if stored else 'add'} --stored, or turn them"
    return f"{seen}: another photo"


def _is_shape(one: tuple[float, float], other: tuple[int, int]) -> bool:
    # A copy's sides are rounded by half a pixel.
    return abs(one[0] * other[1] - one[1] * other[0]) <= max(*one, *other)

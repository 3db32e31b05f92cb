"""Read the four outputs of a detector: boxes, classes, scores and their count, in whatever order they come. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.errors import EngineError, ModelError
from edge.locating.places import Found, Place, overlap, place_of

Values = NDArray[np.float32]
Shape = tuple[int, ...]

# Two boxes that share more are of one thing, which some models report under several classes.
_SAME = 0.6
_MOST = 1000  # boxes a frame
# Scores may be off a whole number, or off 0..1, by what a quantization makes of them.
_ROUNDING = 1e-3
# A box may reach past the picture, but never by three times its size.
_FAR = 4.0
# What rounding makes of a score is less, and a percent of anything that was seen is more.
_NO_SCORE = 2.0


class Outputs:
    """Which output is which.

    boxes: (1, N, 4) as ymin, xmin, ymax, xmax, shares of the picture. count: one number; None if the model has none.
    pair: classes and scores, each (1, N), in the order in which the model has them. scores: the place of the scores,
    None while that is not known.
    """

    # Their order is no help: TensorFlow 1 exports boxes, classes, scores, count, TensorFlow 2 often the reverse, and
    # converters sort them as they like. Classes are whole numbers, and scores of anything that was seen are not.

    def __init__(self, shapes: Sequence[Shape], names: Sequence[str]) -> None:
        """shapes, names: of all outputs. Raises ModelError if they are not those of a detector."""
        boxes = [place for place, shape in enumerate(shapes) if _is_boxes(shape)]
        if len(boxes) != 1:
            raise _wrong(shapes)
        self.boxes = boxes[0]
        self.number = shapes[self.boxes][-2]
        rows = [place for place, shape in enumerate(shapes) if shape in ((1, self.number), (self.number,))]
        single = [place for place, shape in enumerate(shapes) if shape in ((1,), ())]
        if self.number == 1 and len(rows) > 2:  # (1,) is the count's shape, too
            rows = [place for place in rows if len(shapes[place]) == 2]
        if len(rows) != 2 or not 1 <= self.number <= _MOST:
            raise _wrong(shapes)
        self.pair = rows[0], rows[1]
        self.count = next((place for place in single if place not in rows), None)
        self.scores = self._by_name(names)

    def _by_name(self, names: Sequence[str]) -> int | None:
        for one, other in (self.pair, self.pair[::-1]):
            if "score" in names[one].lower() or "class" in names[other].lower() or "categor" in names[other].lower():
                return one
            # What the operator itself calls them.
            if names[one].endswith("PostProcess:2") and names[other].endswith("PostProcess:1"):
                return one
        return None

    def read(self, values: Mapping[int, Values]) -> tuple[Values, Values]:
        """Return boxes, float32 (n, 4), and their scores, float32 (n,); nothing as long as it is not certain which are
        the scores. values: by the place of the output. Raises EngineError if one is not a number, ModelError for
        percents."""
        boxes = values[self.boxes].reshape(-1, 4)
        one, other = (values[place].reshape(-1) for place in self.pair)
        number = len(boxes) if self.count is None else _whole(values[self.count])
        number = max(0, min(number, len(boxes), len(one), len(other)))
        boxes, one, other = boxes[:number], one[:number], other[:number]
        if not all(np.isfinite(part).all() for part in (boxes, one, other)):
            raise EngineError("the detector returned values that are not finite: the model or its memory is damaged")
        scores = self._scores_of(one, other)
        highest = max((float(values.max()) for values in _surely_scores(one, other, scores) if number), default=0.0)
        if highest > _NO_SCORE:
            raise ModelError(f"the detector gives a score of {highest:.4g}: must be 0 to 1: export it so")
        return (boxes, scores) if scores is not None else (boxes[:0], one[:0])

    def _scores_of(self, one: Values, other: Values) -> Values | None:
        """Return the scores of the two: by what they hold, and by their names if both could be either."""
        may = [_may_be_scores(values) for values in (one, other)]
        whole = [_is_whole(values) for values in (one, other)]
        if may[0] and whole[1] and not (may[1] and whole[0]):
            self.scores = self.pair[0]
        elif may[1] and whole[0] and not (may[0] and whole[1]):
            self.scores = self.pair[1]
        if self.scores is None:
            return None
        return one if self.scores == self.pair[0] else other


def found_in(
    boxes: Values,
    scores: Values,
    *,
    width: int,
    height: int,
    threshold: float,
    least_px: float,
    before: Sequence[Place],
) -> list[Found]:
    """Return what a detector found in a frame of this size, surest first.

    boxes, scores: as Outputs.read returns them. threshold: of the score. least_px: of the longer side.
    before: where things were in the frame before.

    Raises ModelError if boxes are in other units: they would look like an empty scene.
    """
    found: list[Found] = []
    for index in np.argsort(-scores, kind="stable").tolist():
        score = min(1.0, float(scores[index]))
        if score < threshold:
            break
        if np.abs(boxes[index]).max() > _FAR:
            listed = ", ".join(f"{value:.4g}" for value in boxes[index].tolist())
            raise ModelError(
                f"the detector gives a box of {listed}: must be shares of the picture, 0 to 1: export it so"
            )
        top, left, bottom, right = np.clip(boxes[index], 0, 1).tolist()
        if not (right > left and bottom > top):
            continue
        place = place_of((left, top, right - left, bottom - top), width, height)
        if max(place.width, place.height) < least_px or any(are_same(place, one.place) for one in found):
            continue
        found.append(Found(place, score, is_new=not any(overlap(place, one) > 0 for one in before)))
    return found


def are_same(a: Place, b: Place) -> bool:
    """Return whether two boxes are taken for one thing."""
    return overlap(a, b) > _SAME


def _is_boxes(shape: Shape) -> bool:
    return len(shape) in (2, 3) and shape[-1] == 4 and (len(shape) == 2 or shape[0] == 1)


def _is_whole(values: Values) -> bool:
    return bool((np.abs(values - np.rint(values)) <= _ROUNDING).all())


def _surely_scores(one: Values, other: Values, scores: Values | None) -> list[Values]:
    """Return the outputs that can only be scores: those known as such, else those that are no classes either."""
    return [values for values in (one, other) if not _is_whole(values)] if scores is None else [scores]


def _may_be_scores(values: Values) -> bool:
    return bool(((values >= -_ROUNDING) & (values <= 1 + _ROUNDING)).all())


def _whole(values: Values) -> int:
    count = float(values.reshape(-1)[0])
    if not np.isfinite(count):
        raise EngineError("the detector returned a count that is not finite: the model or its memory is damaged")
    return round(min(max(count, 0.0), float(_MOST)))


def _wrong(shapes: Sequence[Shape]) -> ModelError:
    listed = ", ".join("x".join(map(str, shape)) or "one number" for shape in shapes[:8])
    wanted = f"boxes (1xNx4), classes and scores (1xN each) and their count, N at most {_MOST}"
    return ModelError(f"outputs {listed}: a detector has {wanted}")

"""Cut what was found out of a frame."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from edge.locating.motion import MotionFinder
from edge.locating.places import Cutting, Found, place_of
from edge.preprocess import Preprocessor
from edge.records import Pixels
from edge.results import Box


class Detector(Protocol):
    """Finds things in single frames."""

    def find(self, frame_bgr: Pixels) -> Sequence[Found]:
        """Return what is in the frame, uint8 (height, width, 3), B, G, R, surest first. Raises EngineError."""

    def close(self) -> None:
        """Free the model; safe to call twice."""


class Cutter:
    """What finds things, and how parts are cut around them. Used by one thread: the one that reads frames if `motion`
    is given, the one that infers if `detector` is. One of the two must be.

    preprocessor: one of its own, for that thread. most: at most so many parts of a frame.
    fitted_bgr: memory for a part of the model's size.
    """

    def __init__(
        self,
        preprocessor: Preprocessor,
        cutting: Cutting,
        *,
        most: int,
        motion: MotionFinder | None = None,
        detector: Detector | None = None,
    ) -> None:
        self.preprocessor, self.motion, self.detector = preprocessor, motion, detector
        self.fitted_bgr = np.empty((preprocessor.height, preprocessor.width, 3), np.uint8)
        self._cutting, self._most = cutting, most

    def cut(self, image_bgr: Pixels, found: Sequence[Found]) -> Iterator[tuple[Pixels, Box, Found]]:
        """Yield the parts to classify, each a view, with the box of what it was cut around.

        image_bgr: all of the frame. found: what is in the part of it that counts, best first.
        """
        height, width = image_bgr.shape[:2]
        left, top = self._origin(width, height)
        for one in found[: self._most]:
            box = one.place.shifted(left, top).shares(width, height)
            yield self.around(image_bgr, box), box, one

    def around(self, image_bgr: Pixels, box: Box) -> Pixels:
        """Return the part of a frame that is cut around a box, a view. It lies within the region, if there is one."""
        height, width = image_bgr.shape[:2]
        seen_bgr = self.preprocessor.seen(image_bgr)
        left, top = self._origin(width, height)
        place = place_of(box, width, height).shifted(-left, -top)
        part = self._cutting.around(place, seen_bgr.shape[1], seen_bgr.shape[0])
        return seen_bgr[part.top : part.bottom, part.left : part.right]

    def _origin(self, width: int, height: int) -> tuple[int, int]:
        """Return where in a frame of this size the part begins that counts."""
        region = self.preprocessor.region
        if region is None:
            return 0, 0
        place = place_of(region, width, height)
        return place.left, place.top

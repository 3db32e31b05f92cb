"""Judge a shape that would be reported: is it a thing, or the background in another light, swung, or uncovered?"""

from typing import Literal

import cv2
import numpy as np

from edge.locating.background import Background
from edge.locating.places import Place
from edge.records import Pixels

Verdict = Literal["thing", "light", "swung"]

# What correlates with the background so well is the background: in another light, or a few pixels further.
_SAME_TEXTURE = 0.75
_SWING = 3
# If something has left, the background has edges along the outline of what differs, so much stronger than the frame.
_LEFT, _EDGE_NOISE = 2.0, 4.0
# If the background has hardly any edges there, a likeness means nothing: one slope of light is like another.
_TEXTURED = 0.4
_AROUND = np.ones((3, 3), np.uint8)
_LEAST_SIDE = 3


def verdict(background: Background, grey: Pixels, place: Place) -> Verdict:
    """Return what a place of the frame shows that `background` was compared with last.

    light: all of the background with other brightness, or a part of it that something has left. swung: a part of it
    that has moved by a few pixels, as leaves do.
    """
    rows, columns = grey.shape
    tight = slice(place.top, place.bottom), slice(place.left, place.right)
    part = slice(max(0, place.top - 1), place.bottom + 1), slice(max(0, place.left - 1), place.right + 1)
    outline = _edges(background.differs[part])
    before, now = (cv2.mean(_edges(one[part]), outline)[0] for one in (background.predicted, grey))
    if before > _LEFT * now + _EDGE_NOISE:
        return "light"
    if before < _TEXTURED * now or min(place.width, place.height) < _LEAST_SIDE:
        return "thing"
    wide = (
        slice(max(0, place.top - _SWING), min(rows, place.bottom + _SWING)),
        slice(max(0, place.left - _SWING), min(columns, place.right + _SWING)),
    )
    likeness = cv2.matchTemplate(background.predicted[wide], grey[tight], cv2.TM_CCOEFF_NORMED)
    if likeness[place.top - wide[0].start, place.left - wide[1].start] > _SAME_TEXTURE:
        return "light"
    return "swung" if float(likeness.max()) > _SAME_TEXTURE else "thing"


def _edges(picture: Pixels) -> Pixels:
    edges: Pixels = cv2.morphologyEx(picture, cv2.MORPH_GRADIENT, _AROUND)  # type: ignore[assignment]
    return edges

"""Describe places in a frame: what was found, the part to cut around it, and both as shares. Pure integers.

A place is half open: it holds the pixels from left to right - 1 and from top to bottom - 1.
"""

from dataclasses import dataclass, replace

from edge.results import Box

_PLACES = 6


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle of whole pixels that is not empty."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Return its width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Return its height in pixels."""
        return self.bottom - self.top

    @property
    def area(self) -> int:
        """Return its pixels."""
        return self.width * self.height

    def shifted(self, right: int, down: int) -> "Place":
        """Return the same place in a frame of which this one's frame is a part that begins there."""
        return Place(self.left + right, self.top + down, self.right + right, self.bottom + down)

    def shares(self, width: int, height: int) -> Box:
        """Return it as a box of a frame of this size, rounded to a millionth."""
        return (
            round(self.left / width, _PLACES),
            round(self.top / height, _PLACES),
            round(self.width / width, _PLACES),
            round(self.height / height, _PLACES),
        )


@dataclass(frozen=True, slots=True)
class Found:
    """Something in a frame.

    place: as tight as it is known. score: 0..1, how sure it is that something is there. is_new: it was not found in the
    frame before, so that nothing that was measured there holds for it.
    """

    place: Place
    score: float
    is_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """How a part is cut around a place.

    padding: as a share of the longer side, added on each side. least_px: the part is at least so wide and high.
    aspect: width / height of the part, that of the model's input: 1 is a square. slack: it may be so many times wider
    or higher than that, if the place is: a model that learned whole photos squeezed to a square knows things so.
    """

    padding: float
    least_px: int
    aspect: float = 1.0
    slack: float = 1.0

    def padded(self, padding: float) -> "Cutting":
        """Return the same with another padding."""
        return replace(self, padding=padding)

    def around(self, place: Place, width: int, height: int) -> Place:
        """Return the part to cut around `place` from a frame of this size. It never leaves the frame: at an edge it is
        moved inwards, and only a part that is larger than the frame is narrower than `aspect` wants."""
        pad = 2 * self.padding * max(place.width, place.height)
        wide, high = (max(side + pad, self.least_px) for side in (place.width, place.height))
        wide, high = max(wide, high * self.aspect / self.slack), max(high, wide / self.aspect / self.slack)
        left, right = _centred(place.left, place.right, round(wide), width)
        top, bottom = _centred(place.top, place.bottom, round(high), height)
        return Place(left, top, right, bottom)


def place_of(box: Box, width: int, height: int) -> Place:
    """Return the pixels of a frame of this size that a box covers, at least one. Any finite box has some inside it."""
    left, top, wide, high = box
    from_x, from_y = _inside(left * width, width - 1), _inside(top * height, height - 1)
    to_x = max(from_x + 1, _inside((left + wide) * width, width))
    to_y = max(from_y + 1, _inside((top + high) * height, height))
    return Place(from_x, from_y, to_x, to_y)


def overlap(a: Place, b: Place) -> float:
    """Return the share of what two places cover together that both cover, 0..1."""
    wide = min(a.right, b.right) - max(a.left, b.left)
    high = min(a.bottom, b.bottom) - max(a.top, b.top)
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / (a.area + b.area - wide * high)


def joined(a: Place, b: Place) -> Place:
    """Return the smallest place that holds both."""
    return Place(min(a.left, b.left), min(a.top, b.top), max(a.right, b.right), max(a.bottom, b.bottom))


def _centred(begin: int, end: int, length: int, size: int) -> tuple[int, int]:
    """Return a stretch of `length` around the middle of another one, moved and cut to lie within 0..size."""
    length = max(1, min(length, size))
    first = min(max(0, (begin + end - length) // 2), size - length)
    return first, first + length


def _inside(value: float, most: int) -> int:
    return min(max(0, round(value)), most)

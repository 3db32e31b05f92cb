"""Prepare a fitted picture for the network: balance its white, make it grey, smooth it, spread its light.

Every step has the same bits on every platform, since the network must see in the field what it learned from. OpenCV's
conversion to grey, its equalizeHist and its Gaussian of 3x3 have: 4.11 and 5.0 agree on x86-64 and aarch64, the first
for each of the 16.7 million colours. Its CLAHE has not, as it interpolates in floating point, which aarch64 fuses: the
one in edge.preparation.equalization is our own. tests/edge/preparation/test_steps.py holds digests of all steps.
"""

import cv2
import numpy as np

from edge.bundle.manifest import Channels
from edge.preparation.equalization import LocalEqualization
from edge.records import Pixels

# Of a colour in the white balance: a frame that a leaf fills must not become grey.
_MAX_GAIN = 2


class Preparation:
    """The steps of one bundle, with the memory that they need: for one thread at a time.

    After the first picture of a size, further ones of that size take no new memory.
    """

    def __init__(self, steps: tuple[str, ...], channel_order: Channels, height: int, width: int) -> None:
        """Take memory for pictures of up to height x width.

        steps: known ones, of edge.bundle.preparation.
        channel_order: of the pictures.
        """
        self._steps = frozenset(steps)
        self._to_grey = cv2.COLOR_RGB2GRAY if channel_order == "rgb" else cv2.COLOR_BGR2GRAY
        self._spreads = bool(self._steps & {"equalize", "clahe"})
        self._white = _WhiteBalance()
        self._local = LocalEqualization(height, width) if "clahe" in self._steps else None
        pixels = height * width if self._spreads or "grey" in self._steps else 0
        self._grey, self._spread, self._change = (np.empty(pixels, np.uint8) for _ in range(3))
        self._coloured = np.empty(3 * pixels, np.uint8)

    def apply(self, picture: Pixels) -> None:
        """Prepare a picture, uint8 (height, width, 3), in place; it may be a view."""
        if "white-balance" in self._steps:
            self._white.apply(picture)
        if "grey" in self._steps:
            grey = self._grey_of(picture)
            if "smooth" in self._steps:
                _smooth(grey)
            cv2.cvtColor(self._spread_of(grey) if self._spreads else grey, cv2.COLOR_GRAY2BGR, dst=picture)
            return
        if "smooth" in self._steps:
            _smooth(picture)
        if self._spreads:
            self._spread_colours(picture)

    def _grey_of(self, picture: Pixels) -> Pixels:
        grey = _part_of(self._grey, picture.shape[:2])
        cv2.cvtColor(picture, self._to_grey, dst=grey)
        return grey

    def _spread_of(self, grey: Pixels) -> Pixels:
        spread = _part_of(self._spread, grey.shape)
        if self._local is None:
            cv2.equalizeHist(grey, dst=spread)
        else:
            self._local.apply(grey, spread)
        return spread

    def _spread_colours(self, picture: Pixels) -> None:
        """Add to each colour what its grey gains, and take from it what that loses."""
        # So hues stay nearly as they are, and no other colour space is needed, which would round them.
        grey = self._grey_of(picture)
        spread = self._spread_of(grey)
        change, coloured = _part_of(self._change, grey.shape), _part_of(self._coloured, picture.shape)
        cv2.subtract(spread, grey, dst=change)
        cv2.cvtColor(change, cv2.COLOR_GRAY2BGR, dst=coloured)
        cv2.add(picture, coloured, dst=picture)
        cv2.subtract(grey, spread, dst=change)
        cv2.cvtColor(change, cv2.COLOR_GRAY2BGR, dst=coloured)
        cv2.subtract(picture, coloured, dst=picture)


class _WhiteBalance:
    """The grey world: the means of the three colours are made equal, each by a factor of at most _MAX_GAIN."""

    def __init__(self) -> None:
        self._levels = np.arange(256, dtype=np.int64)
        self._scaled = np.empty(256, np.int64)
        self._table = np.empty((1, 256, 3), np.uint8)

    def apply(self, picture: Pixels) -> None:
        """Balance a picture, uint8 (height, width, 3), in place."""
        # Sums of whole numbers, exact in floating point up to 2^53.
        sums = [int(total) for total in cv2.sumElems(picture)[:3]]
        for channel, own in enumerate(sums):
            # (level * wanted + own / 2) / own in whole numbers.
            wanted, own = _gain(sum(sums), 3 * own)
            np.multiply(self._levels, wanted, out=self._scaled)
            np.add(self._scaled, own // 2, out=self._scaled)
            np.floor_divide(self._scaled, own, out=self._scaled)
            np.minimum(self._scaled, 255, out=self._scaled)
            self._table[0, :, channel] = self._scaled
        cv2.LUT(picture, self._table, dst=picture)


def _gain(wanted: int, own: int) -> tuple[int, int]:
    """Return the factor from `own` to `wanted` as numerator and denominator, within 1/_MAX_GAIN to _MAX_GAIN."""
    if wanted >= _MAX_GAIN * own:
        return (_MAX_GAIN, 1) if wanted else (1, 1)
    return (1, _MAX_GAIN) if own >= _MAX_GAIN * wanted else (wanted, own)


def _smooth(picture: Pixels) -> None:
    """Average each pixel with its neighbours by 1-2-1 each way, in place."""
    cv2.GaussianBlur(picture, (3, 3), 0, dst=picture, borderType=cv2.BORDER_REFLECT_101)


def _part_of(memory: Pixels, shape: tuple[int, ...]) -> Pixels:
    """Return the begin of flat memory as an array of `shape`; a view."""
    return memory[: int(np.prod(shape))].reshape(shape)

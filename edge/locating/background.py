"""Keep a running background, and find what a small grey frame shows that it does not."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.locating.exposure import Exposure
from edge.locating.places import Place
from edge.records import Pixels

Floats = NDArray[np.float32]

# Seconds in which the background follows what stays, and a change of light.
_FOLLOWS_S = 8.0
# In how many seconds a pixel's unrest is learned, and forgotten.
_UNREST_S, _CALM_S = 2.0, 20.0
_MOST_UNREST = 60.0
# The mean unrest of a restless place, in grey values; sensor noise makes 1 to 2.
_RESTLESS = 4.0
# A pixel differs by so many deviations of the noise and so many times its unrest, and at least so many grey values.
_NOISES, _UNRESTS, _LEAST = 4.0, 1.6, 5.0
# More than this share of the frame differs, or lies in one shape: that is light, or a camera that was moved.
MOST_CHANGED = 0.5
_GRID = 5
_CLIPPED = 250.0


class Background:
    """The background of one camera, for small grey frames of one size. For one thread.

    differs: uint8 (height, width), 255 where the last frame differs from the background. stands_out: the same, where
    it also differs from all of the background that is near, so that no shaking of it explains that.
    predicted: the background as the last frame's light would show it, uint8.
    """

    def __init__(self, height: int, width: int) -> None:
        shape = (height, width)
        self.exposure = Exposure()
        self.differs, self.stands_out, self.predicted = (np.zeros(shape, np.uint8) for _ in range(3))
        self._near = np.zeros(shape, np.uint8)
        self._limit_8 = np.zeros(shape, np.uint8)
        self._mask = np.zeros(shape, np.uint8)
        self._mean, self._unrest, self._seen, self._light, self._off, self._limit = (
            np.zeros(shape, np.float32) for _ in range(6)
        )
        # Where the last frame is clipped to white; and where the background was, so that it may be brighter than known.
        self._white, self._dazzled = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
        self._some, self._is_dazzled = np.zeros(shape, np.bool_), False
        # The same memory as a mask of OpenCV, which copies by it in a tenth of the time that NumPy takes.
        self._masks = self._some.view(np.uint8)
        self._nothing, self._black = np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
        self._around = np.ones((3, 3), np.uint8)
        self._frames = 0

    def learn_anew(self, grey: Pixels) -> None:
        """Take this frame for the background."""
        np.copyto(self._mean, grey)
        self._unrest.fill(0)
        self.exposure.begin_anew()
        self._frames = 1
        self.differs.fill(0)
        self.stands_out.fill(0)
        np.greater(self._mean, _CLIPPED, out=self._dazzled)
        self._is_dazzled = bool(self._dazzled.any())

    def compare(self, grey: Pixels) -> bool:
        """Find what differs in a frame; False if so much does that the background must be learned again."""
        np.copyto(self._seen, grey)
        exposure = self.exposure
        if not exposure.fit(self._seen[::_GRID, ::_GRID].ravel(), self._mean[::_GRID, ::_GRID].ravel()):
            return False
        np.multiply(self._mean, exposure.gain, out=self._light)
        np.add(self._light, exposure.offset, out=self._light)
        # A sensor shows no more than white, whatever light there is.
        np.minimum(self._light, 255, out=self._light)
        cv2.absdiff(self._seen, self._light, dst=self._off)
        if self._is_dazzled:
            np.greater(self._seen, self._light, out=self._some)
            np.logical_and(self._some, self._dazzled, out=self._some)
            cv2.copyTo(self._nothing, self._masks, self._off)
        np.multiply(self._unrest, _UNRESTS, out=self._limit)
        np.add(self._limit, max(_LEAST, _NOISES * exposure.noise), out=self._limit)
        cv2.compare(self._off, self._limit, cv2.CMP_GT, dst=self.differs)
        changed = cv2.countNonZero(self.differs)
        if changed > MOST_CHANGED * self.differs.size:
            return False
        if changed:
            self._find_outstanding(grey)
        else:
            self.stands_out.fill(0)
        return True

    def _find_outstanding(self, grey: Pixels) -> None:
        """Compare each pixel with the range of the background in the 3x3 pixels around it."""
        np.maximum(self._light, 0, out=self._light)
        np.copyto(self.predicted, self._light, casting="unsafe")
        np.copyto(self._limit_8, self._limit, casting="unsafe")
        cv2.dilate(self.predicted, self._around, dst=self._near)
        cv2.add(self._near, self._limit_8, dst=self._near)
        cv2.compare(grey, self._near, cv2.CMP_GT, dst=self.stands_out)
        cv2.erode(self.predicted, self._around, dst=self._near)
        cv2.subtract(self._near, self._limit_8, dst=self._near)
        cv2.compare(grey, self._near, cv2.CMP_LT, dst=self._mask)
        cv2.bitwise_or(self.stands_out, self._mask, dst=self.stands_out)
        cv2.bitwise_and(self.stands_out, self.differs, dst=self.stands_out)

    def follow(self, seconds: float, kept: Pixels, kept_s: float) -> None:
        """Learn from the frame that was compared last.

        seconds: since the frame before. kept: uint8 (height, width), 255 where something is that must not soon become
        background. kept_s: in how many seconds it does.
        """
        self._frames += 1
        exposure = self.exposure
        cv2.bitwise_not(kept, dst=self._mask)
        np.greater(self._seen, _CLIPPED, out=self._white)
        is_white = bool(self._white.any())
        if is_white:
            self._leave_white(kept)
        np.subtract(self._seen, exposure.offset, out=self._light)
        np.multiply(self._light, 1 / exposure.gain, out=self._light)
        # The first frames each count alike.
        share = max(_share(seconds, _FOLLOWS_S), 1 / min(self._frames, 1000) if self._frames < 20 else 0.0)
        if self._is_dazzled:
            self._see_again(kept)
        self._is_dazzled |= is_white
        cv2.accumulateWeighted(self._light, self._mean, share, self._mask)
        cv2.accumulateWeighted(self._light, self._mean, _share(seconds, kept_s), kept)
        self._learn_unrest(seconds)
        # The reference moves to the present light, slowly: what a pumping exposure clips must not be forgotten.
        if abs(exposure.gain - 1) > 0.01 or abs(exposure.offset) > 0.5:
            step = _share(seconds, _FOLLOWS_S)
            gain, offset = 1 + step * (exposure.gain - 1), step * exposure.offset
            np.multiply(self._mean, gain, out=self._mean)
            np.add(self._mean, offset, out=self._mean)
            exposure.offset -= exposure.gain / gain * offset
            exposure.gain /= gain

    def _leave_white(self, kept: Pixels) -> None:
        """Note where the background is white, and leave out of self._mask where it is known to be as bright: there the
        frame shows nothing of it."""
        np.greater(self._light, _CLIPPED, out=self._some)
        np.logical_and(self._some, self._white, out=self._some)
        cv2.copyTo(self._black, self._masks, self._mask)
        np.greater(self._white, self._some, out=self._some)
        # Not what is white and was not: a white thing, until it has become background.
        np.greater(self._some, self.differs, out=self._some)
        np.greater(self._some, kept, out=self._some)
        np.logical_or(self._dazzled, self._some, out=self._dazzled)

    def _see_again(self, kept: Pixels) -> None:
        """Learn at once what is not white any more, where the background was."""
        np.equal(self.differs, 0, out=self._some)
        np.logical_and(self._some, self._dazzled, out=self._some)
        np.greater(self._some, self._white, out=self._some)
        np.greater(self._some, kept, out=self._some)
        cv2.copyTo(self._light, self._masks, self._mean)
        np.greater(self._dazzled, self._some, out=self._dazzled)
        self._is_dazzled = bool(self._dazzled.any())

    def _learn_unrest(self, seconds: float) -> None:
        """Learn how far each pixel goes from the background, where nothing is kept (self._mask)."""
        np.minimum(self._off, _MOST_UNREST, out=self._off)
        np.multiply(self._unrest, 1 - _share(seconds, _CALM_S), out=self._unrest)
        cv2.compare(self._off, self._unrest, cv2.CMP_GT, dst=self._near)
        cv2.bitwise_and(self._near, self._mask, dst=self._near)
        cv2.accumulateWeighted(self._off, self._unrest, _share(seconds, _UNREST_S), self._near)

    def restless(self, place: Place) -> bool:
        """Return whether the pixels of a place have been changing on and on, as leaves in the wind do."""
        part = self._unrest[place.top : place.bottom, place.left : place.right]
        return cv2.mean(part)[0] > _RESTLESS

    def absorb(self, place: Place) -> None:
        """Take what the last frame shows at a place for the background."""
        part = slice(place.top, place.bottom), slice(place.left, place.right)
        self._mean[part] = (self._seen[part] - self.exposure.offset) / self.exposure.gain
        self.differs[part] = 0
        self.stands_out[part] = 0


def _share(seconds: float, within_s: float) -> float:
    return 1 - math.exp(-seconds / within_s)

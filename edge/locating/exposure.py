"""Find by how much a whole frame became brighter or darker than the background, whatever moves in it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Of the samples, those that fit best are believed: up to 40 % of the frame may show something else.
_BELIEVED = 0.6
_STEPS_AGAIN = 4
# Grey values that may be clipped show nothing of the light.
_DARKEST, _BRIGHTEST = 3.0, 252.0
# A wall of one brightness shows an offset, and no gain: its variance must be well over this, in grey values squared.
_RIDGE = 40.0
_FEWEST = 48
# A line from which more than 40 % of the samples lie further off, in deviations and grey values, is none.
_NO_LINE, _NO_LINE_GREY = 3.0, 4.0
# A sensor whose noise is four times this, at night, has it after the frame was made small.
_MOST_NOISE = 5.0
# The 60th percentile of the absolute values of normal noise of deviation 1.
_SPREAD_OF_NOISE = 0.8416


class Exposure:
    """The straight line from the background's grey values to a frame's: gain * value + offset. For one thread.

    gain, offset: of the last fit. noise: the deviation of what fits from the line, in grey values; over the background
    that is the sensor's noise, and more when the line fits badly.
    """

    def __init__(self) -> None:
        self.gain, self.offset, self.noise = 1.0, 0.0, 1.0
        self._frames = 0

    def begin_anew(self) -> None:
        """Note that the background was learned from the last frame."""
        self.gain, self.offset = 1.0, 0.0

    def fit(self, seen: Floats, background: Floats) -> bool:
        """Fit the line; False if none fits, as when most of the frame shows something else.

        seen, background: the same samples of the frame and of the background, float32 (n,).
        """
        usable = (seen > _DARKEST) & (seen < _BRIGHTEST) & (background > _DARKEST) & (background < _BRIGHTEST)
        if np.count_nonzero(usable) < _FEWEST:
            self.gain, self.offset = 1.0, 0.0
            return True
        seen, background = seen[usable], background[usable]
        kept = int(_BELIEVED * seen.size)
        best = self._lines(seen, background, kept)
        # A line that fits as well as ever need not be improved: a third of the cost in most frames.
        self._frames += 1
        steps = _STEPS_AGAIN if best[0] > 2 * self.noise else 1 if best[0] > self.noise or not self._frames % 8 else 0
        for _ in range(steps):
            best = min(best, _refitted(seen, background, best[1], best[2], kept))
        spread, self.gain, self.offset = best
        fits = spread <= _NO_LINE * self.noise + _NO_LINE_GREY
        self.noise = max(0.3, min(_MOST_NOISE, 0.9 * self.noise + 0.1 * spread / _SPREAD_OF_NOISE))
        return fits

    def _lines(self, seen: Floats, background: Floats, kept: int) -> tuple[float, float, float]:
        """Return the best of three lines to begin with: the last one, a gain alone, an offset alone."""
        last = (_spread(seen - self.gain * background - self.offset, kept), self.gain, self.offset)
        if last[0] <= 2 * self.noise:
            return last
        gain = _bounded(float(np.median(seen)) / float(np.median(background)))
        offset = float(np.median(seen - background))
        brighter = _spread(seen - gain * background, kept), gain, 0.0
        higher = _spread(seen - background - offset, kept), 1.0, offset
        return min(last, brighter, higher)


def _bounded(gain: float) -> float:
    return min(8.0, max(0.125, gain))


def _spread(residuals: NDArray[np.floating[Any]], kept: int) -> float:
    """Return how far from 0 the best `kept` residuals lie at most."""
    return float(np.partition(np.abs(residuals), kept)[kept])


def _refitted(seen: Floats, background: Floats, gain: float, offset: float, kept: int) -> tuple[float, float, float]:
    """Return spread, gain and offset of the line through the `kept` samples that are nearest to another line."""
    near = np.argpartition(np.abs(seen - gain * background - offset), kept)[:kept]
    x, y = background[near], seen[near]
    mean_x, mean_y = float(x.mean()), float(y.mean())
    x = x - mean_x
    new = (float(x @ (y - mean_y)) / kept + _RIDGE) / (float(x @ x) / kept + _RIDGE)
    new = _bounded(new)
    return _spread(seen - new * background - (mean_y - new * mean_x), kept), new, mean_y - new * mean_x

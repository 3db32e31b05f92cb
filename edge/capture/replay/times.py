"""Turn the times of a video's frames into the gaps between them. Pure."""

import math

# A recording of events may pause between them for minutes. More is a clock that jumped, such as that of MPEG, which
# begins anew after 26.5 hours.
MOST_GAP_S = 600.0
_LEAST_GAP_S = 0.001
_USUAL_FPS = 25.0
_MOST_FPS = 240.0


class FrameGaps:
    """The seconds before each frame, by the frames' own times; by the rate if a time is of no use.

    odd: how many times were of no use: missing, backward, or further apart than MOST_GAP_S.
    """

    def __init__(self, fps: float) -> None:
        """fps: the rate that the file claims; one that no camera has is not believed."""
        self.odd = 0
        self.usual_s = 1.0 / (fps if 1 <= fps <= _MOST_FPS else _USUAL_FPS)
        self._last_s: float | None = None
        self._before_first_s = 0.0

    def next(self, time_s: float) -> float:
        """Return the seconds before the frame of this time; 0 for the first frame of all."""
        last_s, self._last_s = self._last_s, time_s
        if last_s is None:
            return self._before_first_s
        gap_s = time_s - last_s
        if math.isfinite(gap_s) and _LEAST_GAP_S <= gap_s <= MOST_GAP_S:
            return gap_s
        self.odd += 1
        return self.usual_s

    def begin_again(self) -> None:
        """Expect the first frame of another round; it comes after the usual gap."""
        self._last_s, self._before_first_s = None, self.usual_s

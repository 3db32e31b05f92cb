"""Keep the mean of the scores over the last seconds."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

# The time of the mean is cut into so many bins, each of them a sum over its frames: memory does not grow with the
# frame rate. At 0.5 s a bin is 31 ms, so up to 32 frames a second each have their own. With 100,000 labels it is 14 MB.
_BINS = 16
# Scores become whole numbers of this many parts: sums of those are exact in float64, whatever was added and taken away
# again. So the mean depends on nothing older than `seconds`, to the last bit, and replay equals live.
_PARTS = 1 << 20


class MeanScores:
    """The mean of the scores over the last `seconds`; of the last frame alone if that is 0. Used by one thread."""

    # Not an exponential mean, which never forgets: what was before a pause, or before the service started, would decide
    # about a score that is near a threshold, and cutting a recording in two could change all of what follows.

    def __init__(self, seconds: float, labels: int) -> None:
        self._seconds = seconds
        self._bins: deque[tuple[int, int, NDArray[np.float64]]] = deque()
        self._sum = np.zeros(labels, np.float64)
        self._frames = 0
        self._began_s: float | None = None
        self._full = False

    def begin_anew(self) -> None:
        """Forget all frames."""
        self._bins.clear()
        self._sum[:] = 0
        self._frames, self._began_s, self._full = 0, None, False

    def add(self, mono_s: float, scores: NDArray[np.float32]) -> None:
        """Take the scores of the next frame: float32 (labels,), finite. `mono_s` must not decrease."""
        if self._began_s is None:
            self._began_s = mono_s
        self._full = self._full or mono_s - self._began_s >= self._seconds
        number = int(mono_s * _BINS / self._seconds) if self._seconds else 0
        if not self._seconds:
            self.begin_anew()
            self._began_s, self._full = mono_s, True
        while self._bins and self._bins[0][0] <= number - _BINS:
            _, frames, parts = self._bins.popleft()
            self._sum -= parts
            self._frames -= frames
        added = scores.astype(np.float64)
        added *= _PARTS
        np.rint(added, out=added)
        self._sum += added
        self._frames += 1
        if self._bins and self._bins[-1][0] == number:
            _, frames, parts = self._bins[-1]
            parts += added
            self._bins[-1] = (number, frames + 1, parts)
        else:
            self._bins.append((number, 1, added))

    @property
    def is_whole(self) -> bool:
        """Return whether frames have come for all of `seconds`, so that nothing older would change the mean."""
        return self._full

    def best(self) -> int:
        """Return the index of the best score; the lowest one of several."""
        return int(self._sum.argmax())

    def second_best(self, index: int) -> int | None:
        """Return the index of the best score but that of `index`, None if there is no other label."""
        if self._sum.size < 2:
            return None
        kept, self._sum[index] = self._sum[index], -1.0
        other = self.best()
        self._sum[index] = kept
        return other

    def of(self, index: int) -> float:
        """Return the mean of one label, 0..1."""
        return float(self._sum[index]) / (self._frames * _PARTS)

    def most_of(self, indices: NDArray[np.intp]) -> float:
        """Return the highest mean of some labels; 0 if there are none."""
        return float(self._sum[indices].max()) / (self._frames * _PARTS) if indices.size else 0.0

    def values(self) -> NDArray[np.float32] | None:
        """Return all means as float32 (labels,), new memory; None before the first frame."""
        if not self._frames:
            return None
        return (self._sum / (self._frames * _PARTS)).astype(np.float32)

"""Is the camera alive? A sensor's noise makes every frame differ: a bit-identical one is an old one.

The resized picture, which is at hand, tells most frames apart at little cost. Where it does not, the frame itself is
asked: a resize rounds away what little noise there is where a scene is clipped to black or white.

Only the last frame is compared. A driver that hands out a few old buffers in turn passes, as a virtual camera that
shows a few image files does: the two cannot be told apart.
"""

import numpy as np

from edge.errors import CameraError
from edge.records import Pixels

_SPECKS = 1 / 200


class FreshnessGuard:
    """Finds frames that a camera hands over a second time, also across a camera that was opened again.

    A picture of one colour (a lens cap, a dark night, a sensor driven into white), but for a hot pixel or two, is
    no sign of a freeze and counts as fresh. Used by the capture thread.
    """

    def __init__(self, frozen_s: float, *, distrust: bool = False) -> None:
        """frozen_s: how long repetition may last before the camera is called frozen; 0: for ever. distrust: the
        camera failed before: its first frame may be an old one, so a second must differ from it."""
        self.repeated = 0
        self._frozen_s = frozen_s
        self._distrust = distrust
        self._picture: Pixels | None = None
        self._seen: Pixels | None = None
        self._since_s: float | None = None

    def is_fresh(self, picture: Pixels, seen: Pixels, now_s: float) -> bool:
        """False for a repetition of the last frame; raises CameraError once that lasts `frozen_s`.
        picture: the resized frame, of which a copy is kept; seen: the frame itself, or the part of it that counts,
        which is kept as it is. Both uint8 (height, width, channels). now_s: monotonic."""
        repeats = self._repeats(picture, seen)
        self._seen = seen
        if not repeats or _is_of_one_colour(picture):
            self._keep(picture)
            self._since_s = None
            trusted, self._distrust = not self._distrust, False
            return trusted
        self.repeated += 1
        if self._since_s is None:
            self._since_s = now_s
        elif self._frozen_s and now_s - self._since_s >= self._frozen_s:
            self._since_s, self._distrust = None, True
            raise CameraError(
                f"the camera has shown the very same picture for {self._frozen_s:g} s: frozen (camera.frozen_s)"
            )
        return False

    def _repeats(self, picture: Pixels, seen: Pixels) -> bool:
        if self._picture is None or self._seen is None or not np.array_equal(self._picture, picture):
            return False
        return np.array_equal(self._seen, seen)

    def _keep(self, picture: Pixels) -> None:
        if self._picture is None or self._picture.shape != picture.shape:
            self._picture = np.empty_like(picture)
        np.copyto(self._picture, picture)


def _is_of_one_colour(pixels: Pixels) -> bool:
    """All over, but for one pixel in 200: where noise is clipped away, hot pixels still show."""
    flat = pixels.reshape(-1, pixels.shape[-1])
    colour = np.median(flat[:: max(1, len(flat) // 1000)], axis=0)
    return bool(np.count_nonzero((flat != colour).any(axis=1)) <= _SPECKS * len(flat))

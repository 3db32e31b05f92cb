"""Is the camera alive? A sensor's noise makes every frame differ: a bit-identical one is an old one."""

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
        self._last: Pixels | None = None
        self._since_s: float | None = None

    def is_fresh(self, pixels: Pixels, now_s: float) -> bool:
        """False for a repetition of the last frame; raises CameraError once that lasts `frozen_s`.
        pixels: uint8 (height, width, channels), of which a copy is kept. now_s: monotonic."""
        if self._last is None or not np.array_equal(self._last, pixels) or _is_of_one_colour(pixels):
            self._keep(pixels)
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

    def _keep(self, pixels: Pixels) -> None:
        if self._last is None or self._last.shape != pixels.shape:
            self._last = np.empty_like(pixels)
        np.copyto(self._last, pixels)


def _is_of_one_colour(pixels: Pixels) -> bool:
    """All over, but for one pixel in 200: where noise is clipped away, hot pixels still show."""
    flat = pixels.reshape(-1, pixels.shape[-1])
    colour = np.median(flat[:: max(1, len(flat) // 1000)], axis=0)
    return bool(np.count_nonzero((flat != colour).any(axis=1)) <= _SPECKS * len(flat))

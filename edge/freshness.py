"""Is the camera alive? A sensor's noise makes every frame differ: a bit-identical one is an old one."""

import numpy as np

from edge.errors import CameraError
from edge.records import Pixels


class FreshnessGuard:
    """Finds frames that a camera hands over a second time, also across a camera that was opened again.

    A uniform picture (a lens cap, a dark night, a sensor driven into white) is no sign of a freeze and counts
    as fresh. Used by the capture thread.
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
        pixels: uint8, any shape; kept until the next call. now_s: monotonic."""
        last, self._last = self._last, pixels
        if last is None or not np.array_equal(last, pixels) or _is_uniform(pixels):
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


def _is_uniform(pixels: Pixels) -> bool:
    """One colour all over."""
    flat = pixels.reshape(-1, pixels.shape[-1])
    return bool((flat == flat[0]).all())

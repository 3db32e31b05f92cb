"""Detect a frozen camera: a sensor's noise makes every frame differ, so a bit-identical one is an old one.

The resized picture, which is at hand, distinguishes most frames at little cost. If it does not, the frames themselves
are compared, because a resize rounds away what little noise there is in a scene that is clipped to black or white.

Only the last frame is compared. A driver that delivers a few old buffers in turn passes, as a virtual camera that
shows a few image files does: the two cannot be distinguished.
"""

import numpy as np

from edge.errors import CameraError
from edge.records import Pixels

# The share of pixels that may differ in a picture of one colour: hot pixels still show when noise is clipped away.
_SPECKS = 1 / 200
# The colour is taken from so many pixels and not from all, because a median sorts.
_SAMPLED = 1000


class FreshnessGuard:
    """Finds frames that a camera delivers a second time, also across a camera that was opened again.

    A picture of one colour (a lens cap, a dark night, a sensor driven into white), except for a hot pixel or two, is
    no sign of a freeze and counts as fresh.

    repeated: repeated frames since this was created, that is, since the worker started.

    Used by the capture thread.
    """

    def __init__(self, frozen_s: float, *, distrust: bool = False) -> None:
        """frozen_s: how long repetition may last before the camera counts as frozen, 0 for ever. distrust: the camera
        failed before."""
        self.repeated = 0
        self._frozen_s = frozen_s
        # After a fault the first frame may be an old one from the driver's buffers: a second must differ from it.
        self._distrust = distrust
        self._picture: Pixels | None = None
        self._seen: Pixels | None = None
        self._since_s: float | None = None

    def is_fresh(self, picture: Pixels, seen: Pixels, now_s: float) -> bool:
        """Return False for a repetition of the last frame; raise CameraError once that has lasted `frozen_s`.

        picture: the resized frame, uint8 (height, width, channels); a copy is kept.
        seen: the frame itself, or the part of it that counts, of the same kind; it is kept without a copy.
        now_s: monotonic.
        """
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
            # The worker opens the camera again, with this guard: the count begins anew.
            self._since_s, self._distrust = None, True
            raise CameraError(
                f"the camera has shown the very same picture for {self._frozen_s:g} s: frozen (camera.frozen_s)"
            )
        return False

    def _repeats(self, picture: Pixels, seen: Pixels) -> bool:
        # The small picture first: on a live camera it differs, and the comparison ends at the first difference.
        if self._picture is None or self._seen is None or not np.array_equal(self._picture, picture):
            return False
        return np.array_equal(self._seen, seen)

    def _keep(self, picture: Pixels) -> None:
        if self._picture is None or self._picture.shape != picture.shape:
            self._picture = np.empty_like(picture)
        np.copyto(self._picture, picture)


def _is_of_one_colour(pixels: Pixels) -> bool:
    """Return True if all pixels but one in 200 have the same colour."""
    flat = pixels.reshape(-1, pixels.shape[-1])
    colour = np.median(flat[:: max(1, len(flat) // _SAMPLED)], axis=0)
    return bool(np.count_nonzero((flat != colour).any(axis=1)) <= _SPECKS * len(flat))

"""Hold the best frame of each label that is in view, within bounds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge.records import Pixels
from edge.results import Box
from edge.worker.keeping.jpeg import shrunk

# So many labels at once. Further ones get no picture: more at a time come from a flicker, not from a scene.
MOST_HELD = 4
# 1920 x 1080 x 3 is 6.2 MB, and is held as it is, at no cost for a frame. A larger one is reduced at each new peak:
# four of 12 megapixels would take 150 MB.
_LARGE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Still:
    """A frame that is held. Both pictures are uint8 (height, width, 3), B, G, R.

    whole_bgr: the frame. part_bgr: the part of it that was classified; None if that is all of it, or not needed.
    """

    captured_mono_s: float
    whole_bgr: Pixels
    part_bgr: Pixels | None


class BestFrames:
    """Holds one frame for each label, that of its peak so far. Frames are borrowed, and not copied unless they are
    large. Used by one thread.

    part: returns the part of a frame that was classified, a view, given its box; None if that is not needed.
    max_side: to which large frames are reduced.
    """

    def __init__(self, part: Callable[[Pixels, Box | None], Pixels] | None, *, max_side: int) -> None:
        self._part, self._max_side = part, max_side
        self._held: dict[str, Still] = {}

    def __len__(self) -> int:
        return len(self._held)

    def update(self, peaks: Mapping[str, float], image_bgr: Pixels, mono_s: float, box: Box | None = None) -> None:
        """Hold the frame of `mono_s` for each label that has its peak there, and forget labels that are not in view
        any more.

        peaks: for each label in view, the time of the frame of its peak so far.
        image_bgr: uint8 (height, width, 3), B, G, R; it must not change. box: as in Decision.
        """
        self.forget(peaks)
        still: Still | None = None
        for label, peak_mono_s in peaks.items():
            if peak_mono_s == mono_s and (len(self._held) < MOST_HELD or label in self._held):
                still = still or self._still(image_bgr, mono_s, box)
                self._held[label] = still

    def forget(self, peaks: Mapping[str, float]) -> None:
        """Forget labels that are not in view any more. peaks: as in `update`."""
        if self._held:
            for label in [label for label in self._held if label not in peaks]:
                del self._held[label]

    def take(self, label: str) -> Still | None:
        """Return the frame of a label that is out of view now, and forget it; None if none was held."""
        return self._held.pop(label, None)

    def _still(self, whole_bgr: Pixels, mono_s: float, box: Box | None) -> Still:
        part_bgr = self._part(whole_bgr, box) if self._part else None
        if part_bgr is not None and part_bgr.shape == whole_bgr.shape:
            part_bgr = None
        if whole_bgr.nbytes > _LARGE_BYTES:
            if part_bgr is not None:
                # Copied even if it is small: a view would hold all of the frame.
                part_bgr = shrunk(part_bgr, self._max_side).copy()
            whole_bgr = shrunk(whole_bgr, self._max_side)
        return Still(mono_s, whole_bgr, part_bgr)

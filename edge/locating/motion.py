"""Find what moves: the difference to a running background, on a small grey picture of each frame.

frame -> small grey picture -> the light's line from background to frame -> what differs from that
      -> shapes -> tracks -> things, as places of the frame
"""

from collections.abc import Sequence

import numpy as np

from edge.locating.background import MOST_CHANGED, Background
from edge.locating.places import Found, Place
from edge.locating.shapes import Shape, ShapeFinder
from edge.locating.shrinking import Shrinker
from edge.locating.tracks import Track, Tracks
from edge.locating.verdicts import verdict
from edge.records import Pixels

# A replay as fast as it goes has no times of its own; after a pause a longer time means nothing more.
_SHORTEST_S, _LONGEST_S = 1 / 60, 60.0
# The background is kept this share of a thing's size around it, too: it may go on.
_MARGIN = 0.15
# A thing that stands out by so many pixels of the small picture is sure.
_SURE = 100
# A thing that has not moved for so many frames is judged again, and then after each so many.
_STILL, _AGAIN = 2, 10
_MOST_JUDGED = 6


class MotionFinder:
    """Finds what moves in the frames of one camera. For one thread; it holds no frame.

    least: the smallest longer side of a thing, as a share of the frame's width.
    still_s: after so many seconds something that stands still is background.

    What it returns depends on the frames and their times only.
    """

    def __init__(self, *, least: float, still_s: float) -> None:
        self._least, self._still_s = least, still_s
        self._shrinker, self._tracks = Shrinker(), Tracks()
        self._background = Background(1, 1)
        self._finder = ShapeFinder(1, 1, 1.0)
        self._kept = np.zeros((1, 1), np.uint8)
        self._last_s = 0.0

    @property
    def small(self) -> Pixels:
        """Return the small grey picture of the last frame: uint8 (height, width, 1), overwritten by the next."""
        return self._shrinker.grey[:, :, None]

    def find(self, frame_bgr: Pixels, mono_s: float) -> Sequence[Found]:
        """Return what moves in the next frame, what stands out most first; nothing in the first one.

        frame_bgr: uint8 (height, width, 3), B, G, R; it is not changed. mono_s: when it was captured.
        """
        is_new = self._shrinker.shrink(frame_bgr)
        grey, background = self._shrinker.grey, self._background
        seconds = min(_LONGEST_S, max(_SHORTEST_S, mono_s - self._last_s))
        self._last_s = max(mono_s, self._last_s) if not is_new else mono_s
        if is_new:
            self._begin(grey.shape[0], grey.shape[1])
        if is_new or not background.compare(grey):
            return self._learn_anew()
        shapes = self._finder.find(background)
        if _is_of_all(shapes, grey.size):
            return self._learn_anew()
        things = self._accepted(self._tracks.follow(shapes, mono_s))
        self._kept.fill(0)
        for thing in things:
            self._keep(thing.place)
        background.follow(seconds, self._kept, self._still_s)
        found = []
        for thing in things:
            place = self._in_frame(thing.place, frame_bgr.shape[0], frame_bgr.shape[1])
            found.append(Found(place, min(1.0, thing.outstanding / _SURE), is_new=not thing.reported))
            thing.reported = True
        return found

    def _learn_anew(self) -> Sequence[Found]:
        """Take the last frame for the background; return what is found in it, nothing."""
        self._background.learn_anew(self._shrinker.grey)
        self._tracks.forget()
        return ()

    def _accepted(self, things: Sequence[Track]) -> list[Track]:
        """Return the things that are no background, of which what is in another light is learned at once."""
        accepted = []
        judged = 0
        for thing in things:
            # Seldom: it costs 0.05 ms, and what stands still looks the same in the next frame.
            again = thing.still % _AGAIN == _STILL
            if thing.reported and not again:
                accepted.append(thing)
                continue
            if judged == _MOST_JUDGED:
                continue
            judged += 1
            found = verdict(self._background, self._shrinker.grey, thing.place)
            if found == "thing" or (thing.reported and found == "swung"):
                accepted.append(thing)
                continue
            self._tracks.drop(thing)
            if found == "light":
                self._background.absorb(thing.place)
        return accepted

    def _begin(self, height: int, width: int) -> None:
        self._background = Background(height, width)
        self._finder = ShapeFinder(height, width, self._least * width)
        self._kept = np.zeros((height, width), np.uint8)

    def _keep(self, place: Place) -> None:
        margin = 1 + round(_MARGIN * max(place.width, place.height))
        top, left = max(0, place.top - margin), max(0, place.left - margin)
        self._kept[top : place.bottom + margin, left : place.right + margin] = 255

    def _in_frame(self, place: Place, height: int, width: int) -> Place:
        """Return a place of the small picture in the frame."""
        rows, columns = self._kept.shape
        return Place(
            place.left * width // columns,
            place.top * height // rows,
            max(place.left * width // columns + 1, place.right * width // columns),
            max(place.top * height // rows + 1, place.bottom * height // rows),
        )


def _is_of_all(shapes: Sequence[Shape], pixels: int) -> bool:
    """Return whether the box of a shape holds so much of a small picture of `pixels` that the scene has changed.

    Of pure noise no half of the pixels need differ, and what does joins to one shape that spans the picture."""
    return any(shape.place.area > MOST_CHANGED * pixels for shape in shapes)

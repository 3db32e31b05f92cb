"""Follow shapes from frame to frame: what is there once is a blip, what stays or moves on is a thing."""

from dataclasses import dataclass

from edge.locating.places import Place, overlap
from edge.locating.shapes import Shape

# Seen in so many frames, and for so long, a shape is a thing; below, the same if much changes there anyway.
_FRAMES, _SECONDS = 2, 0.06
_RESTLESS_FRAMES, _RESTLESS_S = 5, 0.4
# A thing may be out of sight for so many frames, and so long.
_MISSED, _MISSED_S = 2, 0.5
_MOST_TRACKS = 24
_SAME = 0.2
_STILL = 0.75


@dataclass(slots=True, eq=False)
class Track:
    """A shape over time. place: in the last frame that showed it. frames: how many did. since_s, seen_s: monotonic.

    still: for how many frames it has not moved. reported: it was reported before.
    """

    place: Place
    outstanding: int
    since_s: float
    seen_s: float
    restless: bool
    frames: int = 1
    missed: int = 0
    still: int = 0
    reported: bool = False

    @property
    def is_thing(self) -> bool:
        """Whether it was there long enough."""
        frames, seconds = (_RESTLESS_FRAMES, _RESTLESS_S) if self.restless else (_FRAMES, _SECONDS)
        return self.reported or (self.frames >= frames and self.seen_s - self.since_s >= seconds)


class Tracks:
    """The tracks of one camera. For one thread."""

    def __init__(self) -> None:
        self._tracks: list[Track] = []

    def forget(self) -> None:
        """Forget all, as after a change of light."""
        self._tracks = []

    def drop(self, track: Track) -> None:
        """Forget one."""
        self._tracks.remove(track)

    def follow(self, shapes: list[Shape], now_s: float) -> list[Track]:
        """Take the shapes of the next frame; return the things, those that stand out most first."""
        pairs = sorted(
            ((_likeness(track, shape), i, j) for i, track in enumerate(self._tracks) for j, shape in enumerate(shapes)),
            reverse=True,
        )
        seen: set[int] = set()
        taken: set[int] = set()
        for likeness, i, j in pairs:
            if likeness <= 0 or i in seen or j in taken:
                continue
            seen.add(i)
            taken.add(j)
            track = self._tracks[i]
            track.still = track.still + 1 if overlap(track.place, shapes[j].place) > _STILL else 0
            track.place, track.outstanding, track.seen_s = shapes[j].place, shapes[j].outstanding, now_s
            track.frames, track.missed, track.restless = track.frames + 1, 0, shapes[j].restless
        for i, track in enumerate(self._tracks):
            track.missed += i not in seen
        new = [
            Track(shape.place, shape.outstanding, now_s, now_s, shape.restless)
            for j, shape in enumerate(shapes)
            if j not in taken
        ]
        self._tracks = [track for track in self._tracks if _goes_on(track, now_s)][:_MOST_TRACKS] + new[:_MOST_TRACKS]
        return sorted((track for track in self._tracks if track.is_thing), key=lambda track: -track.outstanding)


def _goes_on(track: Track, now_s: float) -> bool:
    if not track.missed:
        return True
    return track.is_thing and track.missed <= _MISSED and now_s - track.seen_s <= _MISSED_S


def _likeness(track: Track, shape: Shape) -> float:
    """Return how well a shape goes on from a track: over 0 if it may."""
    a, b = track.place, shape.place
    shared = overlap(a, b)
    reach = 0.75 * (max(a.width, a.height) + max(b.width, b.height)) / 2 * (1 + track.missed)
    far = abs(a.left + a.right - b.left - b.right) / 2 + abs(a.top + a.bottom - b.top - b.bottom) / 2
    ratio = max(a.area, b.area) / min(a.area, b.area)
    if shared < _SAME and (far > reach or ratio > 4):
        return 0.0
    return 1e-6 + shared + max(0.0, 1 - far / max(1.0, reach))

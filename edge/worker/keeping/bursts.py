"""Hold the last pictures of a burst, as JPEG, so that an event can have those before its begin and after its end."""

from collections import deque
from math import ceil

from edge.config.keeping import Events, Pictures
from edge.worker.keeping.jpeg import Jpeg

# A burst of 20 at 1280 x 720 and quality 85 takes 3 to 6 MB as JPEG; raw it would be 55 MB.
_MOST_BYTES = 16 << 20
_MOST_PICTURES = 64
# A picture that is older than the burst is long, and by more than this, shows another time: the gate was closed, or the
# camera failed.
_STALE_S = 5.0


class Bursts:
    """The last pictures, oldest first. Used by one thread."""

    def __init__(self, pictures: Pictures, events: Events) -> None:
        self._wanted_before, self._wanted_after = pictures.before, pictures.after
        self._before_s = pictures.before * pictures.burst_every_s + _STALE_S
        self._after_s = pictures.after * pictures.burst_every_s + _STALE_S
        # A begin is heard of when the event has lasted for min_duration_s, an end after gap_s.
        lag = ceil(max(events.min_duration_s, events.gap_s) / pictures.burst_every_s)
        self._most = min(_MOST_PICTURES, max(pictures.before, pictures.after) + lag + 1)
        self._kept: deque[Jpeg] = deque()
        self._bytes = 0

    def add(self, jpeg: Jpeg) -> None:
        """Take the next picture."""
        self._kept.append(jpeg)
        self._bytes += len(jpeg.data)
        while len(self._kept) > self._most or (self._bytes > _MOST_BYTES and len(self._kept) > 1):
            self._bytes -= len(self._kept.popleft().data)

    def before(self, begin_mono_s: float) -> tuple[Jpeg, ...]:
        """Return the last pictures before an event's begin, as many as are wanted or there are; oldest first."""
        earliest_s = begin_mono_s - self._before_s
        found = [jpeg for jpeg in self._kept if earliest_s <= jpeg.captured_mono_s < begin_mono_s]
        return tuple(found[len(found) - self._wanted_before :]) if len(found) > self._wanted_before else tuple(found)

    def after(self, end_mono_s: float) -> tuple[Jpeg, ...]:
        """Return the first pictures after an event's end, as many as are wanted or there are; oldest first."""
        latest_s = end_mono_s + self._after_s
        found = [jpeg for jpeg in self._kept if end_mono_s < jpeg.captured_mono_s <= latest_s]
        return tuple(found[: self._wanted_after])

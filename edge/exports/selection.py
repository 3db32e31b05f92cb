"""Choose the events of an export, look through them once before anything is written, and group them for copying."""

from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field

from edge.store.reading import StoreReader
from edge.store.records import Filter, Stay, StoredEvent, StoredPicture

# So that a batch, of which every file lies twice in memory as dirty pages and in the queue, stays small on a board.
_BATCH_EVENTS = 500
_BATCH_PICTURES = 64
_BATCH_BYTES = 32 << 20

# Whether a format wants this picture of this event.
Takes = Callable[[StoredEvent, StoredPicture], bool]


@dataclass
class Period:
    """The events of one device during one stay at one place.

    begin_s, end_s: of events and pictures, wall time; of those with a trusted clock, if there are any.
    camera: of the first event. untrusted: how many events have no trusted time.
    """

    begin_s: float
    end_s: float
    camera: str
    events: int = 0
    untrusted: int = 0


@dataclass
class Survey:
    """What an export will hold.

    checked, boxes: how many of the events are marked, and have a box.
    pictures, size: how many the format wants, and their bytes.
    periods: when each device stood at each place, if that was looked for; again for a place that it came back to.
    """

    events: int = 0
    checked: int = 0
    boxes: int = 0
    pictures: int = 0
    size: int = 0
    periods: dict[Stay, Period] = field(default_factory=dict)


class Stays:
    """Finds where a device stood when it saw an event."""

    def __init__(self, stays: Iterable[Stay]) -> None:
        """stays: in the order in which events were stored."""
        self._of: dict[str, list[Stay]] = {}
        for stay in stays:
            self._of.setdefault(stay.device, []).append(stay)

    def of(self, stored: StoredEvent) -> Stay:
        """Return the stay of an event. Raises LookupError if its device has none."""
        mine = self._of[stored.event.device]
        # The store may have dropped its first events since.
        return mine[max(0, bisect_right(mine, stored.number, key=lambda stay: stay.first) - 1)]


class Selection:
    """The events of an export, as the store held them when it began."""

    def __init__(self, reader: StoreReader, wanted: Filter, without: Container[int] = ()) -> None:
        """without: numbers of events to leave out."""
        self._reader = reader
        self._wanted = wanted
        self._without = without
        self._last = reader.numbers()[1]

    def events(self) -> Iterator[StoredEvent]:
        """Yield them, oldest first, without those that came later."""
        for event in self._reader.events(self._wanted, newest_first=False, without=self._without):
            if event.number <= self._last:
                yield event

    def survey(self, takes: Takes, stays: Stays | None = None) -> Survey:
        """Look through all of them. takes: which pictures the export wants. stays: for periods."""
        found = Survey()
        for stored in self.events():
            found.events += 1
            found.checked += stored.mark is not None
            found.boxes += stored.event.box is not None
            sizes = [picture.size for picture in stored.pictures if takes(stored, picture)]
            found.pictures += len(sizes)
            found.size += sum(sizes)
            if stays is not None:
                _extend(found.periods, stays.of(stored), stored)
        return found

    def batches(self) -> Iterator[list[StoredEvent]]:
        """Yield them in groups that are copied and synced together."""
        batch: list[StoredEvent] = []
        pictures = size = 0
        for stored in self.events():
            batch.append(stored)
            pictures += len(stored.pictures)
            size += sum(picture.size for picture in stored.pictures)
            if len(batch) >= _BATCH_EVENTS or pictures >= _BATCH_PICTURES or size >= _BATCH_BYTES:
                yield batch
                batch, pictures, size = [], 0, 0
        if batch:
            yield batch


def _extend(periods: dict[Stay, Period], stay: Stay, stored: StoredEvent) -> None:
    times = [stored.begin_wall_s, stored.end_wall_s, *(picture.captured_wall_s for picture in stored.pictures)]
    trusted = stored.clock != "none"
    period = periods.get(stay)
    if period is None:
        period = periods[stay] = Period(min(times), max(times), stored.event.camera)
    elif trusted and period.untrusted == period.events:  # the first time that means anything
        period.begin_s, period.end_s = min(times), max(times)
    elif trusted or period.untrusted == period.events:
        period.begin_s, period.end_s = min(period.begin_s, *times), max(period.end_s, *times)
    period.events += 1
    period.untrusted += not trusted

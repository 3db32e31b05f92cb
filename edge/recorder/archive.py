"""Keep events, samples and their pictures: the store and the two folders, opened, written and tended together."""

import logging
import math
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from edge.config.settings import Settings
from edge.errors import ConfigError, DamagedStoreError, DataError, StoreGoneError
from edge.events.records import Event
from edge.events.wall_clock import QUALITIES, ClockHistory, ClockReading
from edge.printable import were
from edge.recorder.chores import Chores
from edge.recorder.faults import describe
from edge.recorder.filing import Filer, is_storable
from edge.recorder.pictures import PictureFolder, remove_picture
from edge.recorder.stock import EventPictures, Samples, Stock
from edge.recorder.waiting import Item
from edge.recorder.written import WrittenToday
from edge.store.aside import set_aside
from edge.store.files import located, make_folder
from edge.store.orders import take_orders
from edge.store.records import NewSample
from edge.store.writes.adding import Identity, NewEvent
from edge.store.writing import StoreWriter

_log = logging.getLogger(__name__)

# Under these keys the store holds how many files went for want of room, the best clock reading of a boot:
# "BOOT QUALITY OFFSET", and what was written on a day (edge.recorder.written).
_DROPPED, _CLOCK, _WRITTEN = "dropped_pictures", "clock", "written_today"
_MB = 1_000_000
_ORDERS_S = 1.5
_ROOM_S = 10.0
_TRIM_S = 60.0
# 2000 events take 20 ms on an x86-64 core: less than 0.01 % of it.
_CHECK_S = 600.0
# What a worker has in sight is heard of within a second or two of the recorder's start.
_LEFT_OPEN_S = 30.0
_STRAYS_S = 60.0
# A piece of the search for strays looks at all names: 1 s for 100,000 pictures on an x86-64 core.
_SEARCH_S = 2.0
# A smaller events.max_mb may drop millions of events, and new ones must be kept meanwhile.
_TRIMMING_S = 1.0


@dataclass(slots=True)
class Holding:
    """What is kept. events: how many. pictures, samples: bytes of their files. dropped: how many files went for want of
    room."""

    events: int = 0
    pictures: int = 0
    samples: int = 0
    dropped: int = 0


class Archive:
    """The store with its pictures. Used by one thread.

    All methods but `close` raise OSError, or as the store does. After that call `failed`.
    """

    def __init__(
        self,
        settings: Settings,
        device: str,
        boot: str,
        history: ClockHistory,
        written: WrittenToday,
        *,
        alive: Callable[[], None],
    ) -> None:
        """history: which wall time a moment gets; filled by the caller. written: is kept in the store. alive: called
        now and then during long work.

        Raises ConfigError if the settings name no store."""
        if settings.events.store is None:
            raise ConfigError("events.store is missing: name the file in which events are kept")
        self.path = located(Path(settings.events.store))
        self._boot, self._history, self._written, self._alive = boot, history, written, alive
        self._max_bytes = settings.events.max_mb * _MB
        reserve_mb = settings.pictures.reserve_mb
        pictures = PictureFolder(self._place(settings.pictures.folder, "pictures"))
        harvest = PictureFolder(self._place(settings.harvest.folder, "harvest"))
        self._pictures = Stock(pictures, EventPictures(), settings.pictures.max_mb, reserve_mb, alive)
        self._samples = Stock(harvest, Samples(), settings.harvest.max_mb, reserve_mb, alive)
        self._filer = Filer(pictures, harvest, device, boot, history)
        self._open: StoreWriter | None = None
        self._notice: str | None = None
        self._damage: str | None = None  # found while it was open
        self._chores = Chores()
        self._search: Iterator[None] = iter(())  # for strays
        self._trims = False
        self._events = self._dropped = 0

    def _place(self, folder: str | None, name: str) -> Path:
        return located(Path(folder)) if folder else self.path.with_name(name)

    @property
    def is_open(self) -> bool:
        """Whether the store is open."""
        return self._open is not None

    @property
    def wants_samples(self) -> bool:
        """Whether samples are kept at all."""
        return self._samples.is_wanted

    @property
    def notice(self) -> str | None:
        """What people must know though events are kept; None: nothing."""
        return "; ".join(filter(None, (self._notice, self._filer.fault))) or None

    @property
    def holding(self) -> Holding:
        """What is kept, as far as it is known."""
        pictures, samples = self._pictures, self._samples
        return Holding(self._events, pictures.used + pictures.strays, samples.used + samples.strays, self._dropped)

    def open(self) -> ClockReading | None:
        """Open the store, which is made if there is none; a damaged one is set aside.

        Return the best clock reading of this boot that an earlier recorder left there, None if there is none.
        """
        make_folder(self.path.parent)
        store = self._open_store()
        if store.left is not None:
            self._note(store.left)
        if store.loss is not None:
            self._note(store.loss, "the card, or its disk, changed what was written")
        try:
            # What another store left behind is looked for again: its pictures are of no event here, and take up the
            # budget.
            self._chores, self._search = Chores(), iter(())
            for stock in (self._pictures, self._samples):
                stock.measure(store)
            self._events = store.count()
            self._dropped = int(store.value(_DROPPED, 0))
            self._written.recall(str(store.value(_WRITTEN, "")))
            reading = self._reading_in(store)
        except BaseException:
            # A disk that failed in between: all of this must be done at the next try, too.
            store.close()
            raise
        self._open = store
        return reading

    def _open_store(self) -> StoreWriter:
        """Open the store, or set a damaged one aside and begin a fresh one."""
        if self._damage is None:
            try:
                return StoreWriter(self.path)
            except DamagedStoreError as error:
                self._damage = error.found
        aside = set_aside(self.path)
        self._note(f"the store was damaged and is now {aside.name}; a fresh one was begun", self._damage)
        self._damage = None
        return StoreWriter(self.path)

    def close(self) -> None:
        """Close the store; safe to call twice."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def failed(self, error: Exception) -> None:
        """Close the store if that error means that it must be opened again."""
        if isinstance(error, StoreGoneError):
            self._note(f"{error}; what is there now is used")
            self.close()
        elif isinstance(error, DamagedStoreError):
            # The check at the next opening need not find it again: it looks at the newest events only.
            self._damage = error.found
            self.close()

    def keep(self, items: Sequence[Item], long: Sequence[Event] = ()) -> None:
        """Keep these, with their pictures, and these events in sight for the case of a power cut. They are on the disk
        when this returns."""
        with_pictures = self._make_room(self._pictures, [item for item in items if isinstance(item.content, Event)])
        with_samples = self._make_room(self._samples, [item for item in items if not isinstance(item.content, Event)])
        events: list[NewEvent] = []
        samples: list[NewSample] = []
        for item in items:
            if isinstance(item.content, Event):
                events += self._filed(item.content, item, with_pictures=with_pictures)
            elif item.files and with_samples and (sample := self._filer.sample(item.content, item.files[0])):
                samples.append(sample)
            self._alive()
        for event in long:
            events += self._filed(event)
        try:
            self._filer.sync()
        except OSError as error:
            # Their disk failed just now. Events may be on another one, and must not wait for it.
            self._filer.note(describe(error))
            events, samples = [(*event[:4], ()) for event in events], []
        self._add(events, samples)
        self._pictures.used += sum(picture.size for event in events for picture in event[4])
        self._samples.used += sum(sample.size for sample in samples)
        self._events = self._store.count()

    def mend(self) -> None:
        """Give the events of this boot the times that follow from its best clock reading."""
        best = self._history.at(float("-inf"))
        if best.quality == "none":
            return
        # Pictures keep the time in their EXIF: they may be exported already, with their hashes.
        while self._store.mend(self._boot, best.offset_s, best.quality):
            self._alive()
        words = f"{self._boot} {best.quality} {best.offset_s!r}"
        if self._store.value(_CLOCK, "") != words:
            self._store.set_value(_CLOCK, words)

    def tend(self, now: float, going_on: Collection[Identity]) -> None:
        """Do what is due in the store beside keeping. now: monotonic. going_on: the events in sight."""
        chores, store = self._chores, self._store
        if chores.is_due("orders", _ORDERS_S, now):
            take_orders(store)
        if chores.is_due("room", _ROOM_S, now):
            self._note_dropped(self._pictures.make_room(store) + self._samples.make_room(store))
        if self._trims or chores.is_due("trim", _TRIM_S, now):
            self._trims = self._trim()
        if chores.is_due("check", _CHECK_S, now):
            store.check_some()
        if chores.is_due("left open", float("inf"), now, first_s=_LEFT_OPEN_S):
            self.end_left_open(going_on)
        if chores.is_due("strays", float("inf"), now, first_s=_STRAYS_S):
            self._search = chain(self._pictures.find_strays(store), self._samples.find_strays(store))
        if chores.is_due("search", _SEARCH_S, now):
            next(self._search, None)

    def end_left_open(self, going_on: Collection[Identity] = ()) -> None:
        """End what another recorder left in sight, as it was last heard of. going_on: what is in sight still."""
        ended = self._store.end_left_open(going_on)
        if ended:
            _log.info("%s in sight when the service stopped, and ended with that", were(ended, "event"))
            self._events = self._store.count()

    @property
    def _store(self) -> StoreWriter:
        assert self._open is not None
        return self._open

    def _make_room(self, stock: Stock, items: Sequence[Item]) -> bool:
        """Make room for the files of these. Return whether they may be written."""
        sizes = [os.fstat(file).st_size for item in items for file in item.files]
        if not (sizes and stock.is_wanted):
            return False
        if stock.has_room(sum(sizes)):
            return True
        self._note_dropped(stock.make_room(self._store, sum(sizes)))
        fits = stock.has_room(sum(sizes))
        if not fits and stock is self._pictures:
            self._filer.note(f"{stock.folder.root}: no room for more within its budget and the reserve of its disk")
        return fits

    def _note_dropped(self, dropped: int) -> None:
        if dropped:
            self._dropped += dropped
            self._store.set_value(_DROPPED, self._dropped)

    def _filed(self, event: Event, item: Item | None = None, *, with_pictures: bool = False) -> list[NewEvent]:
        if not is_storable(event):
            # Only a fault of ours can make one. It must not stand in the way of all that come after it.
            _log.error("%s cannot be stored and is given up: %s", event.name, event)
            return []
        if item is None or not with_pictures:
            return [self._filer.event(event)]
        return [self._filer.event(event, item.pictures, item.files)]

    def _add(self, events: Sequence[NewEvent], samples: Sequence[NewSample]) -> None:
        store = self._store
        try:
            with store.transaction():
                store.add_events(events)
                store.add_samples(samples)
                if (words := self._written.words()) is not None:
                    store.set_value(_WRITTEN, words)
        except DamagedStoreError:
            raise
        except DataError:
            # One of them can never be stored: it must not stand in the way of the others.
            for event in events:
                self._give_up_on_fault(store.add_events, event)
            for sample in samples:
                self._give_up_on_fault(store.add_samples, sample)

    def _give_up_on_fault(self, add: Callable[[Sequence[Any]], object], new: NewEvent | NewSample) -> None:
        try:
            add([new])
        except DamagedStoreError:
            raise
        except DataError as error:
            _log.error("given up: %s", error)

    def _trim(self) -> bool:
        """Drop events for about a second if the store is too large. Return whether more must go."""
        dropped, ends_s = 0, time.monotonic() + _TRIMMING_S
        while True:
            trimmed = self._store.trim(self._max_bytes)
            for path in trimmed.pictures:
                with suppress(OSError):  # it is a stray from now on
                    remove_picture(path)
            dropped += trimmed.events
            self._alive()
            if not trimmed.more or time.monotonic() >= ends_s:
                break
        if dropped:
            _log.info("%s dropped: the store may take %d MB", were(dropped, "event"), self._max_bytes // _MB)
            self._events = self._store.count()
        if not trimmed.more and (dropped or self._trims):
            self._pictures.measure(self._store)
        return trimmed.more

    def _reading_in(self, store: StoreWriter) -> ClockReading | None:
        boot, quality, offset = ["", "", *str(store.value(_CLOCK, "")).rsplit(" ", 2)][-3:]
        if boot != self._boot or quality not in QUALITIES:
            return None
        with suppress(ValueError):
            offset_s = float(offset)
            return ClockReading(offset_s, quality) if math.isfinite(offset_s) else None
        return None

    def _note(self, notice: str, why: str | None = None) -> None:
        _log.warning("%s%s", notice, f" ({why})" if why else "")
        self._notice = notice

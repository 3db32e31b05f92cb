"""Hold what the recorder has not acknowledged yet, with its pictures as open files, within bounds."""

import fcntl
import os
import resource
import stat
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from edge.events.records import Event, PictureInfo, Sample
from edge.processes.recorder_messages import KeepEvent, KeepSample

# A week of a busy camera (3,000 events a day), in some 25 MB.
MOST_EVENTS = 20_000
MOST_BYTES = 64_000_000
# 64 MB of small pictures. By default a process may have 1024 files open.
_MOST_FILES = 4096
# Held files get numbers from here on. Who is started meanwhile gets a low one for its socket: select takes no others.
_LOWEST = 1024
# What else this process may have open, if the limit cannot be raised.
_OTHER_FILES = 256


def room_for_files() -> int:
    """Let this process open more files, and return how many may be held for the recorder."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _LOWEST + _MOST_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(0, min(_MOST_FILES, soft - _LOWEST if soft >= 2 * _LOWEST else soft - _OTHER_FILES))


@dataclass(slots=True)
class Item:
    """One event or sample that waits.

    pictures, files: what travels beside it; the files are this record's own.
    size: of the files, in bytes.
    sent_s: when it was sent to the recorder that runs now, monotonic; None if it was not.
    """

    ticket: int
    content: Event | KeepSample
    pictures: tuple[PictureInfo, ...] = ()
    files: list[int] = field(default_factory=list)
    size: int = 0
    sent_s: float | None = None

    @property
    def is_final(self) -> bool:
        """Will it not change any more?"""
        return not isinstance(self.content, Event) or self.content.ended

    @property
    def message(self) -> KeepEvent | KeepSample:
        """What to send."""
        if isinstance(self.content, KeepSample):
            return self.content
        return KeepEvent(self.ticket, self.content, self.pictures)


class Pending:
    """All that waits, in the order in which it came. Used by one thread.

    Of an event that goes on only the newest form is held.

    When it becomes too much, the pictures of the oldest go first, then the oldest forms of events that go on (of these
    another form will come), then the oldest events.

    lost_events, lost_pictures: what was given up. A sample without its picture is worth nothing, and counts as one.
    """

    def __init__(self, most_files: int, *, most_events: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> None:
        """most_files: how many files may be held open."""
        self._most_files, self._most_events, self._most_bytes = most_files, most_events, most_bytes
        # By their tickets, oldest first. Not dict: to find its first key again and again takes it ever longer.
        self._items: OrderedDict[int, Item] = OrderedDict()
        self._unsent: OrderedDict[int, None] = OrderedDict()
        self._with_files: OrderedDict[int, None] = OrderedDict()
        self._going_on: dict[int, int] = {}  # sequence of an event -> ticket
        self._ticket = self._bytes = self._files = 0
        self.lost_events = self.lost_pictures = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def waiting(self) -> int:
        """How many wait that will not change any more."""
        return len(self._items) - len(self._going_on)

    @property
    def unkept(self) -> tuple[int, int]:
        """How many ended events, and how many pictures, are not kept: what waits, and what was given up."""
        events = sum(isinstance(item.content, Event) and item.content.ended for item in self._items.values())
        return self.lost_events + events, self.lost_pictures + self._files

    @property
    def oldest(self) -> Item | None:
        """The first that waits and will not change any more; None if there is none."""
        return next((item for item in self._items.values() if item.is_final), None)

    def keep_event(self, event: Event, pictures: Sequence[PictureInfo] = (), files: Iterable[int] = ()) -> None:
        """Hold an event, in place of an earlier form of it. Takes the files over."""
        earlier = self._going_on.pop(event.sequence, None)
        if earlier is not None:
            self._remove(earlier)
        item = Item(self._next_ticket(), event)
        self._take_files(item, pictures, list(files))
        if not event.ended:
            self._going_on[event.sequence] = item.ticket
        self._add(item)

    def keep_sample(self, sample: Sample, engine: str, bundle: str, files: Iterable[int]) -> None:
        """Hold a frame for the next training, whose one file is its JPEG. Takes the files over."""
        ticket = self._next_ticket()
        item = Item(ticket, KeepSample(ticket, sample, engine, bundle))
        picture = PictureInfo(
            kind="best", captured_mono_s=sample.captured_mono_s, width=sample.width, height=sample.height
        )
        self._take_files(item, [picture], list(files))
        if item.files:
            self._add(item)

    def kept(self, tickets: Iterable[int]) -> list[Item]:
        """Forget what was acknowledged, and return it; tickets that are not known are passed over."""
        return [item for ticket in tickets if (item := self._remove(ticket)) is not None]

    @property
    def next(self) -> Item | None:
        """The first that must be sent; None if all was."""
        return self._items[next(iter(self._unsent))] if self._unsent else None

    def sent(self, item: Item, now: float) -> None:
        """Note that it was sent. now: monotonic."""
        item.sent_s = now
        del self._unsent[item.ticket]

    def give_up(self, item: Item) -> None:
        """Forget what cannot be kept, and count it."""
        self.lost_events += isinstance(item.content, Event) and item.content.ended
        self.lost_pictures += len(item.files)
        self._remove(item.ticket)

    def recorder_begins(self) -> None:
        """Note that the recorder is another one, which must get everything."""
        for item in self._items.values():
            item.sent_s = None
        self._unsent = OrderedDict.fromkeys(self._items)

    def close(self) -> None:
        """Close all files."""
        for ticket in list(self._items):
            self._remove(ticket)

    def _next_ticket(self) -> int:
        self._ticket += 1
        return self._ticket

    def _take_files(self, item: Item, pictures: Sequence[PictureInfo], files: list[int]) -> None:
        """Put those files into the item that are plain files with a description; close the others."""
        taken = []
        for number, file in enumerate(files):
            found = os.fstat(file)
            # If this process has too many open files, the kernel leaves out those that it could not hand over.
            fits = number < len(pictures) and stat.S_ISREG(found.st_mode) and found.st_size <= self._most_bytes
            if fits:
                taken.append(pictures[number])
                item.files.append(_moved_up(file))
                item.size += found.st_size
            else:
                os.close(file)
        item.pictures = tuple(taken)
        self.lost_pictures += max(0, len(pictures) - len(taken))

    def _add(self, item: Item) -> None:
        self._items[item.ticket] = item
        self._unsent[item.ticket] = None
        if item.files:
            self._with_files[item.ticket] = None
            self._bytes += item.size
            self._files += len(item.files)
        self._make_room()

    def _make_room(self) -> None:
        while self._with_files and (self._bytes > self._most_bytes or self._files > self._most_files):
            item = self._items[next(iter(self._with_files))]
            if isinstance(item.content, KeepSample):
                self.give_up(item)
            else:
                self.lost_pictures += len(item.files)
                self._close_files(item)
        while len(self._items) > self._most_events:
            oldest = next(iter(self._going_on.values() or self._items))
            self.give_up(self._items[oldest])

    def _remove(self, ticket: int) -> Item | None:
        item = self._items.pop(ticket, None)
        if item is not None:
            self._unsent.pop(ticket, None)
            self._close_files(item)
            if isinstance(item.content, Event) and self._going_on.get(item.content.sequence) == ticket:
                del self._going_on[item.content.sequence]
        return item

    def _close_files(self, item: Item) -> None:
        if item.ticket in self._with_files:
            del self._with_files[item.ticket]
            self._bytes -= item.size
            self._files -= len(item.files)
        for file in item.files:
            os.close(file)
        item.files, item.pictures, item.size = [], (), 0


def _moved_up(file: int) -> int:
    """Return another number for the open file, from _LOWEST on, if the limit allows that."""
    try:
        moved = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, _LOWEST)
    except OSError:
        return file
    os.close(file)
    return moved

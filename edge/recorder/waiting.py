"""Decide when what came must be on the disk: pure, with the time passed in.

A commit costs some 10 kB of wear on the card whatever it holds, so as many events as the promise allows share one.
"""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge.events.records import Event, PictureInfo
from edge.processes.recorder_messages import KeepSample
from edge.store.writes.adding import Identity

# Of the time that is promised, so much is for waiting. The rest is for a worn card, which may take seconds.
_WAIT_SHARE = 2 / 3
# If an event was heard of late, because its gap is long or because a recorder had died, it still waits for others for
# this share.
_LATE_SHARE = 1 / 6
# More are not taken in at once: the supervisor holds the others. The kernel's usual limit is 1024 open files.
MOST_ITEMS: Final = 500
MOST_FILES: Final = 200
# An event in sight for longer than this is put on the disk before its end, and again after each so many seconds: a
# power cut costs no more than this of it.
_LONG_S = 60.0
_AGAIN_S = 300.0
# Each event in sight is heard of about once a second. One that is not was given up somewhere.
_SILENT_S = 600.0


@dataclass(slots=True)
class Item:
    """An ended event or a sample that must be kept. files: of its pictures, open; this record's own."""

    ticket: int | None
    content: Event | KeepSample
    pictures: Sequence[PictureInfo] = ()
    files: list[int] = field(default_factory=list)

    def close(self) -> None:
        """Close the files; safe to call twice."""
        for file in self.files:
            os.close(file)
        self.files = []


class Waiting:
    """What must be kept, in the order in which it came. Used by one thread."""

    def __init__(self, durable_within_s: float) -> None:
        self._within_s = durable_within_s
        self._due_s: float | None = None
        self._files = 0
        self.items: list[Item] = []

    @property
    def is_full(self) -> bool:
        """Whether no more may be taken in, and what is there must be kept now."""
        return len(self.items) >= MOST_ITEMS or self._files >= MOST_FILES

    @property
    def due_s(self) -> float | None:
        """When it must be kept, on the monotonic clock; None if nothing waits."""
        return self._due_s

    def add(self, item: Item, now: float) -> None:
        """Take one in."""
        self.items.append(item)
        self._files += len(item.files)
        due_s = now + _WAIT_SHARE * self._within_s
        if isinstance(item.content, Event):
            # "Within 15 s of its end" counts from the last frame that showed it.
            end_s = item.content.end_mono_s + _WAIT_SHARE * self._within_s
            due_s = min(due_s, max(end_s, now + _LATE_SHARE * self._within_s))
        self._due_s = due_s if self._due_s is None else min(self._due_s, due_s)

    def clear(self) -> None:
        """Forget all, and close the files: it is kept."""
        for item in self.items:
            item.close()
        self.items, self._files, self._due_s = [], 0, None


@dataclass(slots=True)
class _Open:
    event: Event
    heard_s: float
    stored_s: float | None = None


def _identity(event: Event) -> Identity:
    return event.device, event.boot, event.sequence


class OpenEvents:
    """The events that go on, each in the form that was last heard of it. Used by one thread."""

    def __init__(self) -> None:
        self._open: dict[Identity, _Open] = {}

    def hear(self, event: Event, now: float) -> None:
        """Note an event's newest form."""
        known = self._open.get(_identity(event))
        self._open[_identity(event)] = _Open(event, now, known.stored_s if known else None)

    def end(self, event: Event) -> None:
        """Note that it has ended."""
        self._open.pop(_identity(event), None)

    def to_store(self, now: float) -> list[Event]:
        """Return those that must be put on the disk for the case of a power cut; call `stored` when they are."""
        return [
            one.event
            for one in self._open.values()
            if (one.stored_s is None and one.event.end_mono_s - one.event.begin_mono_s > _LONG_S)
            or (one.stored_s is not None and now - one.stored_s >= _AGAIN_S)
        ]

    def stored(self, events: Sequence[Event], now: float) -> None:
        """Note that these are on the disk."""
        for event in events:
            known = self._open.get(_identity(event))
            if known is not None:
                known.stored_s = now

    def identities(self) -> Collection[Identity]:
        """Return which go on."""
        return self._open.keys()

    def take_silent(self, now: float) -> list[Event]:
        """Return those that were not heard of for ten minutes, and forget them."""
        silent = [one.event for one in self._open.values() if now - one.heard_s > _SILENT_S]
        for event in silent:
            self.end(event)
        return silent

    def take_all(self) -> list[Event]:
        """Return all, and forget them."""
        events = [one.event for one in self._open.values()]
        self._open.clear()
        return events

"""A store for tests of the outputs: a file for its place, and events in memory."""

import secrets
from collections.abc import Sequence
from pathlib import Path

from edge.errors import DataError, MissingInputError
from edge.events.records import Event
from edge.results import Candidate
from edge.store.records import StoredEvent, StoredPicture

BOOT = "0b1c2d3e-0000-0000-0000-000000000000"


def stored(
    number: int,
    label: str = "fox",
    *,
    boot: str = BOOT,
    end_mono_s: float | None = None,
    pictures: tuple[StoredPicture, ...] = (),
) -> StoredEvent:
    end_s = 2.0 * number if end_mono_s is None else end_mono_s
    event = Event(
        device="barn",
        boot=boot,
        sequence=1000 * number,
        label=label,
        begin_mono_s=end_s - 1.5,
        end_mono_s=end_s,
        peak=0.9,
        peak_mono_s=end_s - 1,
        mean=0.8,
        frames=15,
        engine="litert cpu",
        bundle="0123456789ab",
        camera="barn door",
        runner_up=Candidate(label="hare", score=0.05),
        temperature_c=51.5,
    )
    wall_s = 1_790_000_000.0 + end_s
    return StoredEvent(
        number=number, event=event, begin_wall_s=wall_s - 1.5, end_wall_s=wall_s, clock="ntp", pictures=pictures
    )


class FakeStore:
    """The store behind a path. `open` is what a Feed takes in place of StoreReader."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: list[StoredEvent] = []
        self.id = ""
        self.damaged = False
        self.opened = 0

    def create(self) -> None:
        """Begin a fresh store, in a new file."""
        new = self.path.with_name("new")
        new.write_bytes(b"")
        new.replace(self.path)
        self.id, self.events = secrets.token_hex(8), []

    def overwrite(self) -> None:
        """Begin a fresh store in the same file, as a copy of another one over it does."""
        self.path.write_bytes(b"")
        self.id, self.events = secrets.token_hex(8), []

    def add(self, *labels: str) -> None:
        """Store events with these labels, and change the file as a database does."""
        for label in labels:
            self.events.append(stored(self.last + 1, label))
        with self.path.open("ab") as file:
            file.write(b"x")

    @property
    def last(self) -> int:
        return self.events[-1].number if self.events else 0

    def open(self, path: Path) -> "FakeReader":
        assert path == self.path
        if not path.exists():
            raise MissingInputError(f"{path}: no store")
        if self.damaged:
            raise DataError(f"{path}: damaged")
        self.opened += 1
        return FakeReader(self)


class FakeReader:
    """As edge.store.reading.StoreReader. It goes on with the store that it opened, as an open file does."""

    def __init__(self, store: FakeStore) -> None:
        self._store, self._id, self._events = store, store.id, store.events

    def store_id(self) -> str:
        return self._id

    def numbers(self) -> tuple[int, int]:
        if self._store.damaged:
            raise DataError("damaged")
        return (self._events[0].number, self._events[-1].number) if self._events else (0, 0)

    def after(self, number: int, limit: int) -> list[StoredEvent]:
        if not self._events:
            return []
        start = max(0, number + 1 - self._events[0].number)
        return self._events[start : start + limit]

    def labels(self) -> Sequence[str]:
        return sorted({event.label for event in self._events})

    def close(self) -> None:
        pass

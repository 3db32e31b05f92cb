"""Write the store: the one connection that does."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from edge.errors import FieldfareError, StorageError, StoreGoneError
from edge.events.records import ClockQuality
from edge.printable import printable
from edge.store import harvest
from edge.store.counting import Counts, events_after, last_number
from edge.store.faults import sound_rows, translated
from edge.store.files import files_of, inode, located, sync_folder
from edge.store.harvest import SampleGist
from edge.store.locking import WriterLock
from edge.store.reads import exported
from edge.store.records import Mark, NewSample
from edge.store.schema import IS_OPEN, SETTLED_AT_ONCE
from edge.store.texts import TextWriter
from edge.store.writes import checking, clocks, marking, pictures
from edge.store.writes.adding import EventAdder, Identity, NewEvent
from edge.store.writes.leaving import has_lone_log, has_strange_log, keep_log, lacks_log, set_log_aside
from edge.store.writes.log_damage import PassedOver, find_passed_over
from edge.store.writes.opening import open_for_writing
from edge.store.writes.pictures import PictureGroup
from edge.store.writes.retention import Retention, Trimmed

# How long to look for damage when a store is opened: a service must be up within 10 s.
CHECK_S = 2.0
# Events that are worked on in one transaction, so that none takes long: about 0.1 s on a desktop, for mending 2000.
_AT_ONCE = 2000
Value = int | float | str


class StoreWriter:
    """The store, open for writing, under the writer's lock. A context manager. Used by one thread.

    All methods that change something are one transaction each, which is on the disk when they return; inside
    `transaction` they are part of that one.

    loss: what was lost though it had been on the disk, in words; None: nothing that can be known.
    left: what became of the log of another store that was here before, or that this one came without its log, in words;
        None: neither.

    All methods raise DamagedStoreError if the store is found damaged, StoreGoneError
    if its files were deleted or replaced (close it and open another), StorageError if it cannot be written now (it
    stays open: try again later), and DataError for what can never be stored.
    """

    def __init__(self, path: Path, *, check_s: float = CHECK_S) -> None:
        """Open the store, which is made if there is none. check_s: how long to look for damage, at most.

        Raises UnavailableError if another process writes it, DamagedStoreError (see edge.store.aside), DataError for a
        file that is no store or a newer one, StorageError.
        """
        self.path = located(path)
        self._lock = WriterLock(self.path)
        self._inside = self._is_marked = False
        self.loss: str | None = None
        self.left: str | None = None
        try:
            if has_lone_log(self.path):
                self.left = f"the store {printable(str(self.path))} was moved or deleted; {set_log_aside(self.path)}"
            elif has_strange_log(self.path, self._lock.remembered()):
                strange = f"{printable(str(self.path))} was put beside the log of another store"
                self.left = f"{strange}; {set_log_aside(self.path)}"
            elif lacks_log(self.path):
                log = printable(files_of(self.path)[1].name)
                self.left = (
                    f"the store {printable(str(self.path))} was copied or moved from a running service without {log}: "
                    "its newest events are not in it"
                )
            passed_over = _passed_over(self.path)
            self._connection = open_for_writing(self.path, check_s)
        except BaseException:
            self._lock.close()
            raise
        try:
            with translated(self.path):
                self._begin()
                if passed_over is not None:
                    self._begin_log_anew(passed_over)
                self._mark_open()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        folder, connection = self.path.parent, self._connection
        self._checked = 0
        self._texts = TextWriter(connection)
        self._counts = Counts(connection)
        self._adder = EventAdder(connection, self._texts, self._counts, folder)
        self._retention = Retention(connection, self._counts, folder)
        self.store_id = str(self.value("id", ""))
        self._lock.remember(self.store_id)
        sync_folder(self.path)
        self._inodes = [inode(file) for file in files_of(self.path)]

    def _begin_log_anew(self, passed_over: PassedOver) -> None:
        """Give the numbers that were lost to no other event, so that outputs report a gap, and forget what is left in
        the log, which would look like another loss after the next crash."""
        if passed_over.was_synced:
            with self.transaction():
                last = last_number(self._connection)
                self._counts.skip(range(last + 1, passed_over.last_number + 1))
            self.loss = passed_over.words(last)
        # It does nothing if somebody reads the store just now: then the next loss may be counted too high.
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _mark_open(self) -> None:
        """Mark the store's file as one that needs its log, so that a reader can report that a copy lacks it."""
        # Always, so that from now on the log is not empty. A full disk shows when there is something to keep.
        with suppress(StorageError):
            self.set_value(IS_OPEN, 1)
            self._is_marked = True
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _mark_closed(self) -> None:
        if self._is_marked and not self._inside:
            self._is_marked = False
            # If that fails, a warning too many is shown when the log is gone, and no event is lost.
            with suppress(FieldfareError):
                self.set_value(IS_OPEN, 0)

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; safe to call twice. What was not committed is rolled back."""
        self._mark_closed()
        with suppress(sqlite3.Error):  # of a disk that cannot be written: nothing that was acknowledged is lost
            self._connection.close()
        self._lock.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the changes in the block one: on the disk after it, or not made at all."""
        if self._inside:
            yield
            return
        with translated(self.path):
            self._check_there()
            self._connection.execute("BEGIN IMMEDIATE")
            self._inside = True
            try:
                yield
                self._check_there()
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._inside = False

    def _roll_back(self) -> None:
        self._texts.forget()
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):  # the first error counts
                self._connection.execute("ROLLBACK")

    def _check_there(self) -> None:
        """Raise StoreGoneError if the files under our names are not those that we write."""
        store, *others = (inode(file) for file in files_of(self.path))
        if [store, *others] == self._inodes:
            return
        if store != self._inodes[0]:
            raise StoreGoneError(keep_log(self.path, *self._inodes[:2]))
        if not self._connection.in_transaction:
            # The log or its index was deleted, the store was not: what the log held is saved through our open files.
            # The mark is the last that gets there, and only if all before it did.
            with suppress(sqlite3.Error):
                self._connection.execute("UPDATE fieldfare SET value = 0 WHERE key = ?", (IS_OPEN,))
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        raise StoreGoneError(
            f"the log of the store {printable(str(self.path))} was deleted or replaced while it was open"
        )

    # Events

    def add_events(self, events: Iterable[NewEvent]) -> list[int | None]:
        """Add events, in this order. Return their numbers, None for those that go on.

        One that goes on is kept for the case of a power cut, and not seen by readers. It gets its number when it has
        ended. One that is there already stays as it is, unless the new form of it goes further: then that replaces it,
        under a new number, so that outputs send it again.

        The time of one whose clock cannot be trusted is moved to behind the events before its boot.
        """
        with self.transaction():
            numbers = [self._adder.add(event) for event in events]
            self._counts.settle(least=SETTLED_AT_ONCE)
        return numbers

    def end_left_open(self, still_going: Collection[Identity] = ()) -> int:
        """End the open events that are not `still_going` as they were last heard of. Return how many."""
        with self.transaction():
            return self._adder.end_left_open(still_going)

    def mend(self, boot: str, offset_s: float, clock: ClockQuality, *, most: int = _AT_ONCE) -> int:
        """Give the events and samples of a boot whose clock was worse their right wall times: monotonic + offset_s.

        Return how many events this did, at most `most`; call it again until it returns 0.
        """
        with self.transaction():
            return clocks.mend(self._connection, self._counts, boot, offset_s, clock, most)

    def mark(self, numbers: Sequence[int], mark: Mark | None) -> None:
        """Mark events; None takes marks back. Raises DataError, before it changes anything, if one is not there."""
        with self.transaction():
            marking.set_mark(self._connection, self._texts, self._counts, numbers, mark)

    def note_exported(self, events: Sequence[int] = (), samples: Sequence[int] = (), form: str | None = None) -> None:
        """Note that these were exported, in this format. One that is not there any more is no error."""
        with self.transaction():
            marking.note_exported(self._connection, self._counts, events, samples)
            if form is not None:
                exported.add(self._connection, self.path, form, events)

    def count(self) -> int:
        """Return how many events have ended."""
        with translated(self.path):
            return events_after(self._connection, 0)

    # Pictures and samples

    def picture_groups(self) -> Iterator[PictureGroup]:
        """Yield the pictures event by event, in the order of their numbers. Removing some meanwhile does no harm."""
        with translated(self.path), sound_rows():
            yield from pictures.groups(self._connection)

    def picture_files(self, events: Sequence[int]) -> list[Path]:
        """Return the files of these events' pictures."""
        with translated(self.path):
            return pictures.paths(self._connection, events, self.path.parent)

    def all_picture_files(self) -> Iterator[str]:
        """Yield the paths of all events' pictures. Removing some meanwhile does no harm."""
        with translated(self.path):
            yield from pictures.files(self._connection, self.path.parent)

    def remove_pictures(self, events: Sequence[int]) -> list[Path]:
        """Remove all pictures of these events from the store. Return their files, to be removed afterwards."""
        with self.transaction():
            files = pictures.paths(self._connection, events, self.path.parent)
            pictures.remove(self._connection, events)
        return files

    def add_samples(self, samples: Sequence[NewSample]) -> None:
        """Add samples; one that is there already stays as it is."""
        with self.transaction():
            harvest.add(self._connection, self._texts, samples, self.path.parent)

    def sample_gists(self) -> Iterator[SampleGist]:
        """Yield what decides how long samples stay, oldest first. Removing some meanwhile does no harm."""
        with translated(self.path), sound_rows():
            yield from harvest.gists(self._connection)

    def sample_files(self, numbers: Sequence[int]) -> list[Path]:
        """Return the files of these samples."""
        with translated(self.path):
            return harvest.paths(self._connection, numbers, self.path.parent)

    def all_sample_files(self) -> Iterator[str]:
        """Yield the paths of all samples. Removing some meanwhile does no harm."""
        with translated(self.path):
            yield from harvest.files(self._connection, self.path.parent)

    def remove_samples(self, numbers: Sequence[int]) -> list[Path]:
        """Remove samples from the store. Return their files, to be removed afterwards."""
        with self.transaction():
            return harvest.remove(self._connection, numbers, self.path.parent)

    # The store itself

    def value(self, key: str, default: Value) -> Value:
        """Return a value that was kept under this key."""
        with translated(self.path):
            row = self._connection.execute("SELECT value FROM fieldfare WHERE key = ?", (key,)).fetchone()
        return default if row is None else row[0]

    def set_value(self, key: str, value: Value) -> None:
        """Keep a value, such as a counter, under this key."""
        with self.transaction():
            self._connection.execute("INSERT OR REPLACE INTO fieldfare VALUES (?, ?)", (key, value))

    def size(self) -> int:
        """Return the bytes of all files of the store."""
        return sum(file.stat().st_size for file in files_of(self.path)[:2] if file.exists())

    def trim(self, max_bytes: int, *, most: int = _AT_ONCE) -> Trimmed:
        """Do the next piece of the work that brings the store under this size: the oldest exported events go first,
        then the oldest. Call it again while it reports `more`, and remove the files that it returns."""
        with self.transaction():
            return self._retention.trim(max_bytes, most)

    def check_some(self) -> None:
        """Look for damage in the next piece of the store, in turn. Reads only. Raises DamagedStoreError.

        4 ms for 2,000 events on a desktop; once a second, 5 million events take 40 minutes.
        """
        with translated(self.path):
            last = last_number(self._connection)
            checking.check_events(self._connection, self.path, self._checked + 1, self._checked + _AT_ONCE)
            self._checked = 0 if self._checked + _AT_ONCE >= last else self._checked + _AT_ONCE


def _passed_over(path: Path) -> PassedOver | None:
    try:
        return find_passed_over(files_of(path)[1])
    except OSError:  # whatever it is, SQLite is about to run into it
        return None

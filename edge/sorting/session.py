"""A sorting session: open for one process, each change on the disk before it counts. Thread-safe."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from edge.sorting import changing, reading
from edge.sorting.database import check_still_there, open_database, translated
from edge.sorting.records import Change, Found, Group, Part, Picture, Step, Totals

_AT_ONCE = 500


class Session:
    """Pictures in groups and the decisions on them, in a file. A context manager.

    All methods raise DataError if the file is damaged, MissingInputError if it was moved or deleted meanwhile, and
    StorageError if it cannot be written; then nothing of the change was done.
    """

    def __init__(self, path: Path) -> None:
        """Open or make it. Raises what edge.sorting.database.open_database raises."""
        self.path = path
        self._lock = threading.Lock()
        self._connection = open_database(path)
        self._inode = path.stat().st_ino

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; safe to call twice."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self.path):
            yield self._connection

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self.path):
            check_still_there(self.path, self._inode)
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def add(self, found: Iterable[Found], about: Mapping[str, str] | None = None) -> int:
        """Add pictures whose keys are not there yet, all or none. Return how many. about: what to note beside."""
        with self._changing() as connection:
            for pair in (about or {}).items():
                connection.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", pair)
            return changing.add(connection, found)

    def change(self, change: Change) -> Step | None:
        """Carry out what a person wants; see edge.sorting.changing.carry_out."""
        with self._changing() as connection:
            return changing.carry_out(connection, change)

    def take_back(self, step: int, by: str) -> Step | None:
        """Take the last step back; see edge.sorting.changing.take_back."""
        with self._changing() as connection:
            return changing.take_back(connection, step, by)

    def note(self, key: str, value: str) -> None:
        """Note something about the session."""
        with self._changing() as connection:
            connection.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (key, value))

    def about(self) -> dict[str, str]:
        """Return what was noted, by key."""
        with self._reading() as connection:
            return reading.about(connection)

    def totals(self) -> Totals:
        """Return how many pictures and groups there are."""
        with self._reading() as connection:
            return reading.totals(connection)

    def names(self) -> list[tuple[str, int]]:
        """Return all classes that pictures have, with their numbers of pictures, commonest first."""
        with self._reading() as connection:
            return reading.names(connection)

    def known(self) -> set[bytes]:
        """Return the keys of all pictures."""
        with self._reading() as connection:
            return {key for (key,) in connection.execute("SELECT key FROM pictures")}

    def groups(self, *, only_open: bool, skip: int, limit: int, samples: int) -> tuple[list[Group], int]:
        """Return a page of groups, and how many there are on all pages."""
        with self._reading() as connection:
            return reading.groups(connection, only_open=only_open, skip=skip, limit=limit, samples=samples)

    def group(self, number: int, samples: int = 0) -> Group | None:
        """Return one group; None if it has no picture."""
        with self._reading() as connection:
            return reading.group(connection, number, samples)

    def neighbours(self, group: int) -> tuple[int | None, int | None]:
        """Return the groups with open pictures before and after this one; None for none."""
        with self._reading() as connection:
            return reading.neighbours(connection, group)

    def count(self, part: Part) -> int:
        """Return how many pictures a part has."""
        with self._reading() as connection:
            return reading.count(connection, part)

    def pictures(self, part: Part, skip: int, limit: int) -> list[Picture]:
        """Return a page of a part's pictures, neighbours alike."""
        with self._reading() as connection:
            return reading.pictures(connection, part, skip, limit)

    def picture(self, number: int) -> Picture | None:
        """Return one picture; None if there is none."""
        with self._reading() as connection:
            return reading.picture(connection, number)

    def named(self) -> Iterator[Picture]:
        """Yield all named pictures. What changes meanwhile may be missed."""
        after = 0
        while True:
            with self._reading() as connection:
                batch = reading.named_after(connection, after, _AT_ONCE)
            if not batch:
                return
            yield from batch
            after = batch[-1].number

    def last_step(self) -> tuple[Step | None, int]:
        """Return the last step that can be taken back, and the number of the last one of all, taken back or not."""
        with self._reading() as connection:
            return reading.last_step(connection), reading.last_number(connection)


@contextmanager
def opened(path: Path) -> Iterator[Session]:
    """Open a session for the block. If there is no picture in it afterwards, its file goes, and its folder."""
    empty = False
    try:
        with Session(path) as session:
            try:
                yield session
            finally:
                empty = not session.totals().pictures
    finally:
        if empty:
            with suppress(OSError):
                path.unlink()
                path.parent.rmdir()  # not if anything else is there

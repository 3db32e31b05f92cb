"""Open the file of a session: SQLite, synced at each commit, for one process at a time."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.errors import DataError, FieldfareError, MissingInputError, StorageError, UnavailableError
from edge.printable import printable

VERSION = 1
_APPLICATION = 0x46464C31  # "FFL1", so that no other program's database is taken for a session
_TABLES = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE groups (id INTEGER PRIMARY KEY, place INTEGER NOT NULL, title TEXT NOT NULL);
CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE pictures (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, file BLOB NOT NULL, hint TEXT NOT NULL,
    grp INTEGER NOT NULL, place INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0, name INTEGER, by TEXT NOT NULL DEFAULT '', wall_ms INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX of_group ON pictures (grp, state, place, name);
CREATE INDEX of_name ON pictures (name, state, place);
CREATE INDEX of_state ON pictures (state, place, grp);
CREATE TABLE steps (
    id INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL,
    by TEXT NOT NULL, wall_ms INTEGER NOT NULL, undone INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE changes (
    step INTEGER NOT NULL, picture INTEGER NOT NULL, grp INTEGER NOT NULL, state INTEGER NOT NULL, name INTEGER,
    by TEXT NOT NULL, wall_ms INTEGER NOT NULL, PRIMARY KEY (step, picture)
) WITHOUT ROWID;
"""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR}
_FIXES = {
    sqlite3.SQLITE_FULL: "free some space",
    sqlite3.SQLITE_READONLY: "it, or its disk, is read-only",
    sqlite3.SQLITE_CANTOPEN: "its folder must exist, and this user must be allowed to write there",
    sqlite3.SQLITE_PERM: "this user may not write there",
    sqlite3.SQLITE_AUTH: "this user may not write there",
}


def open_database(path: Path) -> sqlite3.Connection:
    """Open a session's file, which is made if it is not there; its folder too.

    Raises DataError if it is damaged or none, UnavailableError if another process has it open, StorageError.
    """
    with translated(path):
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{printable(str(path.parent))}: cannot make it: {error.strerror or error}") from error
        connection = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
        try:
            _begin(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def _begin(connection: sqlite3.Connection, path: Path) -> None:
    # Exclusive: nobody else writes meanwhile, and no memory is shared, which sticks and network disks cannot do.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA cache_size = -2000")
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if not application and not version and not tables:
        connection.executescript(
            f"BEGIN; {_TABLES} PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT"
        )
        return
    if application != _APPLICATION:
        raise DataError(f"{printable(str(path))}: no sorting session: give another place with --session")
    if version != VERSION:
        raise DataError(f"{printable(str(path))}: made by a newer Fieldfare (form {version}, this one knows {VERSION})")
    connection.execute("BEGIN IMMEDIATE")  # takes the lock now, not at the first click
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    connection.execute("COMMIT")
    if found != "ok":
        raise _damaged(path, found)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise our errors for those that SQLite and its adapter raise inside the block."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a mistake of ours
    except sqlite3.Error as error:
        raise _ours(path, error) from error
    except UnicodeDecodeError as error:
        raise _damaged(path, error) from error
    except UnicodeEncodeError as error:
        raise DataError(f"{printable(str(path))}: cannot hold a text with bytes that are none") from error


def _ours(path: Path, error: sqlite3.Error) -> FieldfareError:
    shown, code = printable(str(path)), getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in _DAMAGED:
        return _damaged(path, error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return UnavailableError(f"{shown}: another process sorts here: end that one first")
    fix = _FIXES.get(code, "check the disk")
    return StorageError(f"{shown}: cannot write: {printable(str(error))}: {fix}")


def _damaged(path: Path, error: object) -> DataError:
    return DataError(
        f"{printable(str(path))}: damaged ({printable(str(error))}): move it away to begin anew; "
        "what was exported before is whole"
    )


def check_still_there(path: Path, inode: int) -> None:
    """Raise MissingInputError if the file was moved, deleted or replaced while it was open: clicks would be lost."""
    there = 0
    with suppress(OSError):
        there = path.stat().st_ino
    if there != inode:
        raise MissingInputError(f"{printable(str(path))}: the session was moved or deleted meanwhile: put it back")

"""Turn SQLite's errors into ours: damaged, cannot be written now, wrong."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import DamagedStoreError, DataError, FieldfareError, StorageError, UnavailableError
from edge.printable import printable
from edge.store import schema
from edge.store.files import not_a_store

# Primary codes of SQLite, the low byte of what it reports.
_DAMAGED = {
    *(sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT),
    *(sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH),
}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
# Of the constraints, NOT NULL is what a score that is no number runs into. The others were seen to before, so that an
# index must be damaged if one of them stops us.
_WRONG = {sqlite3.SQLITE_CONSTRAINT_NOTNULL, sqlite3.SQLITE_TOOBIG}
# No version of ours will be so high: the header is damaged.
_ABSURD_VERSION = 1000
_FIXES = {
    sqlite3.SQLITE_FULL: "free some space",
    sqlite3.SQLITE_READONLY: "it, or its disk, is read-only: check the disk and the permissions",
    sqlite3.SQLITE_CANTOPEN: "check that its folder exists and may be written by this user",
    sqlite3.SQLITE_PERM: "check the permissions",
}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise our errors for those that SQLite and its adapter raise inside the block."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a mistake of ours, such as using what is closed
    except sqlite3.Error as error:
        raise of_ours(path, error) from error
    except UnicodeDecodeError as error:
        raise damaged(path, error) from error  # SQLite's own message quotes what is damaged
    except (UnicodeEncodeError, OverflowError) as error:
        # A lone surrogate, which UTF-8 does not have, or a number of more than 64 bits.
        raise DataError(f"the store {printable(str(path))} cannot hold this: {printable(str(error))}") from error


@contextmanager
def sound_rows() -> Iterator[None]:
    """Raise SQLite's error for damage if a stored value turns out not to be what its column holds.

    For blocks that only read: in others a wrong argument would pass for damage.
    """
    # SQLite keeps a text in a column of numbers, and one flipped bit makes a number one.
    try:
        yield
    except FieldfareError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise sqlite3.DatabaseError(f"a row that cannot be read: {error}") from error


def of_ours(path: Path, error: sqlite3.Error) -> FieldfareError:
    """Return the error of ours for one of SQLite's."""
    # Errors that the adapter itself raises have no code: for a value that is too large to be written, which is no fault
    # of the store, and for what it cannot read, such as text that is no UTF-8.
    uncoded = sqlite3.SQLITE_TOOBIG if isinstance(error, sqlite3.DataError) else sqlite3.SQLITE_CORRUPT
    extended = getattr(error, "sqlite_errorcode", uncoded)
    code = extended & 0xFF
    if extended in _WRONG:
        return DataError(f"the store {printable(str(path))} cannot hold this: {printable(str(error))}")
    if code in _DAMAGED:
        return damaged(path, error)
    if code in _BUSY:
        return UnavailableError(f"the store {printable(str(path))} is busy ({error}): try again")
    if code == sqlite3.SQLITE_ERROR:
        # Our statements are right for our tables, so the tables are not ours any more.
        return damaged(path, error)
    fix = _FIXES.get(code, "check its disk")
    return StorageError(f"cannot read or write the store {printable(str(path))} ({error}): {fix}")


def damaged(path: Path, why: Exception | str) -> DamagedStoreError:
    """Return the error for a damaged store. why: what SQLite reports, or the fault that we found ourselves."""
    found = printable(str(why))
    where = printable(str(path))
    return DamagedStoreError(
        f"the store {where} is damaged ({found}): the service sets it aside and begins a fresh one", found
    )


class NewerStoreError(DataError):
    """A store that a newer Fieldfare has written."""


def refuse_newer(path: Path, version: int) -> None:
    """Raise NewerStoreError for a version that is above ours."""
    if version > schema.version():
        raise NewerStoreError(
            f"the store {printable(str(path))} has version {version}, this Fieldfare writes version "
            f"{schema.version()}: it was written by a newer Fieldfare; update this one, or name another file"
        )


def is_possible(version: int) -> bool:
    """Return whether a Fieldfare of any time may have written this version into a store that has tables."""
    return 1 <= version < _ABSURD_VERSION


def refuse_impossible(path: Path, version: int) -> None:
    """Raise DamagedStoreError for the version of a store with tables that no Fieldfare has ever written."""
    if not is_possible(version):
        raise damaged(path, f"version {version}")


def refuse_older(path: Path, version: int) -> None:
    """Raise DataError for a version that is below ours, which only the writer can upgrade."""
    if version < schema.version():
        raise DataError(
            f"the store {printable(str(path))} has version {version}, this Fieldfare reads version "
            f"{schema.version()}: start the service once, which upgrades it"
        )


def refuse_foreign(path: Path, application_id: int) -> None:
    """Raise DataError for what is no store of ours."""
    if application_id != schema.APPLICATION_ID:
        raise not_a_store(path)

"""Find a way to read a store: beside its writer, at rest, or from a copy."""

import shutil
import sqlite3
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from edge.errors import DamagedStoreError, MissingInputError, StorageError
from edge.printable import printable
from edge.store.faults import refuse_foreign, refuse_impossible, refuse_newer, refuse_older, translated
from edge.store.files import files_of, is_foreign, not_a_store, refuse_other_kind
from edge.store.schema import APPLICATION_ID

_BUSY_S = 5.0
_CACHE_KIB = 8192


@dataclass
class WayIn:
    """An open connection, and what belongs to it.

    at_rest: the log that will appear if a writer begins, for a store that is read as if nobody could.
    copy: a folder that goes with it.
    """

    connection: sqlite3.Connection
    at_rest: Path | None = None
    copy: Path | None = None

    def is_stale(self) -> bool:
        """Return True if somebody may have written what is read as a file at rest."""
        return self.at_rest is not None and self.at_rest.exists()

    def close(self) -> None:
        """Close the connection and remove the copy; safe to call twice."""
        with suppress(sqlite3.Error):
            self.connection.close()
        if self.copy is not None:
            shutil.rmtree(self.copy, ignore_errors=True)


def open_for_reading(path: Path) -> WayIn:
    """Return a connection that only reads. Raises what StoreReader raises."""
    _check_there(path)
    try:
        return _opened(path)
    except DamagedStoreError as error:
        # Nothing sets another program's file aside. The connection is closed, so looking into the file does no harm.
        if is_foreign(path):
            raise not_a_store(path) from error
        raise


def _opened(path: Path) -> WayIn:
    # A read-only connection never checkpoints, not even when it is the last to close: it cannot take the lock for that.
    # It does make the log's index (NAME-shm) if that is missing.
    with translated(path):
        try:
            return _checked(WayIn(_connect(path, "mode=ro")), path)
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise
        return _checked(_without_writing(path), path)


def _check_there(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingInputError(
            f"there is no store {printable(str(path))}: check the path, or start the service first"
        ) from error
    except OSError as error:
        raise MissingInputError(
            f"cannot read the store {printable(str(path))} ({error.strerror}): run this as root or as its owner"
        ) from error
    refuse_other_kind(path, mode)


def _without_writing(path: Path) -> WayIn:
    """Return a way for whoever cannot make NAME-shm: the folder, or its disk, is read-only."""
    _, log, _ = files_of(path)
    try:
        if not log.exists() or log.stat().st_size == 0:
            # Nobody writes: all is in the one file.
            return WayIn(_connect(path, "mode=ro&immutable=1"), at_rest=log)
        # The log of a writer that was killed, and no index to it: SQLite must make one.
        folder = Path(tempfile.mkdtemp(prefix="fieldfare-store-"))
    except OSError as error:
        raise StorageError(f"cannot read the store {printable(str(path))}: {error.strerror}") from error
    try:
        for file in (path, log):
            shutil.copyfile(file, folder / file.name)
        return WayIn(_connect(folder / path.name, "mode=ro"), copy=folder)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise StorageError(
            f"cannot copy the store {printable(str(path))} to {folder.parent}, which reading it needs, as its folder "
            f"cannot be written ({error.strerror}): run this as root, or set TMPDIR to a larger place"
        ) from error


def _connect(path: Path, options: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path))}?{options}", uri=True, isolation_level=None, timeout=_BUSY_S)
    try:
        for setting in (
            "query_only = ON",
            "trusted_schema = OFF",
            "cell_size_check = ON",
            f"cache_size = -{_CACHE_KIB}",
        ):
            connection.execute(f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_empty(path: Path, identity: int) -> None:
    """Raise MissingInputError for what the writer would begin: it has just made the file, or a crash came then."""
    if identity in (0, APPLICATION_ID):
        raise MissingInputError(
            f"the store {printable(str(path))} is still empty: the service makes the store when it starts; "
            f"a copy needs {printable(files_of(path)[1].name)} beside it"
        )


def _checked(way: WayIn, path: Path) -> WayIn:
    """Return it if it leads to a store of ours of this version, else close it and raise."""
    try:
        (identity,) = way.connection.execute("PRAGMA application_id").fetchone()
        (version,) = way.connection.execute("PRAGMA user_version").fetchone()
        (tables,) = way.connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables == 0 and version == 0:
            _refuse_empty(path, identity)
        refuse_foreign(path, identity)
        refuse_impossible(path, version)
        refuse_newer(path, version)
        refuse_older(path, version)
    except BaseException:
        way.close()
        raise
    return way

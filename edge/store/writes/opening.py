"""Open a store for writing: make a new one, upgrade an older one, refuse a newer one or a stranger's, find damage."""

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from edge.errors import DamagedStoreError, StorageError
from edge.printable import printable
from edge.store import schema
from edge.store.faults import damaged, refuse_impossible, refuse_newer, translated
from edge.store.files import foreign, is_foreign, refuse_other_kind
from edge.store.writes import checking

# Measured with tools/bench_store.py : bytes written a day, and seconds for a query.
PAGE_BYTES = 1024
_CHECKPOINT_PAGES = 4000
# After a long mend or trim the write-ahead log is cut back to this.
_LOG_BYTES = 8 << 20
# Of tools/bench_recorder.py: 14.9 MiB PSS, with 4096 16.0; what it writes, adds and mends is the same.
_CACHE_KIB = 1024
_BUSY_MS = 5000


def open_for_writing(path: Path, check_s: float) -> sqlite3.Connection:
    """Return a connection to a whole store of the present version, which is made if there is none.

    check_s: how long to look for damage, at most.

    Raises DamagedStoreError, DataError for what is no store of ours or a newer one, StorageError.
    """
    _prepare_place(path)
    try:
        with translated(path):
            connection = _connect(path)
            try:
                _identify(connection, path)
                _configure(connection, path)
                schema.upgrade(connection)
                checking.check(connection, path, check_s)
            except BaseException:
                connection.close()
                raise
    except DamagedStoreError as error:
        # The connection is closed: closing a second descriptor of the file would have dropped SQLite's locks on it.
        if is_foreign(path):
            raise foreign(path) from error
        raise
    return connection


def _prepare_place(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_other_kind(path, path.stat().st_mode)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"cannot open the store {printable(str(path))}: {error.strerror}") from error


def _connect(path: Path) -> sqlite3.Connection:
    address = f"file:{quote(str(path.absolute()))}?mode=rwc"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=_BUSY_MS / 1000)


def _identify(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is not ours, or newer. Changes nothing."""
    # A damaged store must not make SQLite run what it holds, and is found out earlier.
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    (identity,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if tables == 0 and identity in (0, schema.APPLICATION_ID) and version == 0:
        return  # new, or a crash came before its tables were made
    if identity != schema.APPLICATION_ID:
        raise damaged(path, "its header is not that of a store")
    refuse_impossible(path, version)
    refuse_newer(path, version)


def _configure(connection: sqlite3.Connection, path: Path) -> None:
    try:
        _set_up(connection)
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY and _may_write(path):
            raise damaged(path, "its header has it read-only") from error
        raise


def _may_write(path: Path) -> bool:
    on_readonly_disk = os.statvfs(path).f_flag & os.ST_RDONLY
    return os.access(path, os.W_OK, effective_ids=True) and not on_readonly_disk


def _set_up(connection: sqlite3.Connection) -> None:
    # The first two count only until a new file has its first page.
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    # So that `trim` gives space back piece by piece. VACUUM would write the whole store anew.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL lost 4,120 of 31,226 acknowledged rows in 15 simulated power cuts, FULL none.
    connection.execute("PRAGMA synchronous = FULL")
    # Debian's SQLite overwrites what is deleted with zeros, which doubles what a trim writes.
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")

"""Keep the log of a store whose file is no longer under its name: moved, deleted or replaced.

The log holds what was committed since the last checkpoint, which may be weeks of a quiet camera. Another store under
the same name would delete it, or be damaged by it.
"""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from edge.printable import printable
from edge.store.files import files_of, inode, next_numbered, numbered, sync_folder
from edge.store.schema import IS_OPEN

# A log has at most 8 MB, mostly 4.
_MOST_KEPT = 3
Inode = tuple[int, int]


def keep_log(path: Path, store: Inode | None, log: Inode | None) -> str:
    """Take the log away from under the name of a store that this process still has open. Return what happened to the
    store, in words.

    store, log: of the files that it wrote. If the store was moved, the log goes with it, under the name that SQLite
    looks for; else it is set aside as NAME.moved-N-wal.
    """
    gone = f"the store {printable(str(path))} was deleted or replaced while it was open"
    if store is None or log is None or inode(files_of(path)[1]) != log:
        return gone
    new = _moved_to(store)
    # What may not be moved there, to a folder that is not ours to write, is set aside here.
    with suppress(OSError):
        # A reader may have left an empty log there, with an index to it: ours take their place.
        if new is not None and not _holds_something(files_of(new)[1]):
            _take_along(path, new)
            moved = f"the store {printable(str(path))} was moved to {printable(str(new))} while it was open"
            return f"{moved}; its log went with it"
    return f"{gone}; {set_log_aside(path)}"


def set_log_aside(path: Path) -> str:
    """Rename the log of a store whose file is gone to NAME.moved-N-wal; the newest three are kept. Return that, or why
    it cannot be done, in words."""
    _, log, index = files_of(path)
    try:
        kept = numbered(path, "moved", "-wal")
        aside = files_of(next_numbered(path, "moved", kept))[1]
        log.rename(aside)
        index.unlink(missing_ok=True)
        for oldest in kept[: max(0, len(kept) + 1 - _MOST_KEPT)]:
            oldest.unlink()
        sync_folder(path)
    except OSError as error:
        return f"what its log held is lost ({error.strerror})"
    return f"its log is now {printable(aside.name)}: if you have the store, put that beside it as NAME-wal"


def has_lone_log(path: Path) -> bool:
    """Return whether a log lies there that belongs to no store: its file was moved away or deleted."""
    try:
        return not os.path.lexists(path) and _holds_something(files_of(path)[1])
    except OSError:
        return False


def has_strange_log(path: Path, last_id: str) -> bool:
    """Return whether the log beside a store is another store's: the file was put where that one was, whose service had
    been killed. last_id: of the store that was last written under this name, "" if that is not known.

    SQLite would write the other's pages into the file, and so destroy both. Call it under the writer's lock, before
    the store is opened for writing.
    """
    try:
        if not last_id or not path.is_file() or not _holds_something(files_of(path)[1]):
            return False
    except OSError:
        return False
    store_id, is_open = _id_and_open(path)
    # A store that was not closed may have brought its own log along.
    return store_id not in (None, last_id) and is_open == 0


def lacks_log(path: Path) -> bool:
    """Return whether a store was put there without the log that it needs: it was copied or moved from a running
    service. Call it under the writer's lock, before the store is opened for writing, which begins another log."""
    try:
        if not path.is_file() or _holds_something(files_of(path)[1]):
            return False
    except OSError:
        return False
    return _id_and_open(path)[1] == 1


def _id_and_open(path: Path) -> tuple[object, object]:
    """Return the id of a store and whether it needs its log, as its file alone has them; None for what cannot be
    read."""
    # ValueError: a key that a flipped byte made no UTF-8.
    address = f"file:{quote(str(path))}?mode=ro&immutable=1"
    with suppress(sqlite3.Error, ValueError), closing(sqlite3.connect(address, uri=True)) as connection:
        query = "SELECT key, value FROM fieldfare WHERE key IN ('id', ?)"
        values = dict(connection.execute(query, (IS_OPEN,)).fetchall())
        return values.get("id"), values.get(IS_OPEN)
    return None, None


def _holds_something(log: Path) -> bool:
    return log.exists() and log.stat().st_size > 0


def _take_along(path: Path, new: Path) -> None:
    # The log first: without it the index is worthless, without the index SQLite makes another one. Readers that have
    # the old store open keep both.
    for old, beside_new in list(zip(files_of(path), files_of(new), strict=True))[1:]:
        with suppress(FileNotFoundError):
            old.rename(beside_new)
    sync_folder(new)
    sync_folder(path)


def _moved_to(store: Inode) -> Path | None:
    """Return where the file is now that this process has open as the store; None if it is nowhere to be found."""
    # Opening and closing the file itself would drop SQLite's locks on it.
    with suppress(OSError):
        for entry in Path("/proc/self/fd").iterdir():
            if inode(entry) == store:
                new = entry.readlink()
                return new if inode(new) == store else None
    return None

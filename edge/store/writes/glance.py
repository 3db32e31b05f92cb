"""See at a glance that no event can be kept in a file: for who starts by hand, before the camera is opened."""

import os
from pathlib import Path

from edge.errors import StorageError
from edge.printable import printable
from edge.store import schema
from edge.store.faults import is_possible, refuse_newer
from edge.store.files import beside, files_of, foreign, is_foreign, located, refuse_other_kind
from edge.store.locking import refuse_second_writer

# https://sqlite.org/fileformat.html: the header, and behind it that of the page with the tables' definitions.
_MAGIC = b"SQLite format 3\0"
_VERSION, _IDENTITY, _TABLES = slice(60, 64), slice(68, 72), slice(103, 105)
_HEAD_BYTES = 105


def refuse_hopeless(path: Path) -> None:
    """Refuse a file in which no recorder could keep events until a person mends that.

    Changes nothing, opens no database, and waits for nothing. What may pass by itself is no reason: a full disk. Nor is
    damage.

    Raises DataError for what is no store of ours, a newer one or no file; StorageError if there is no permission or the
    disk is read-only; UnavailableError if another process writes it.
    """
    path = located(path)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        _check_folder(path)
        return
    except OSError as error:
        raise _cannot_write(path, path, error.strerror or str(error)) from error
    refuse_other_kind(path, mode)
    for file in (*files_of(path), beside(path, ".lock")):
        if file.exists() and not _may(file, os.R_OK | os.W_OK):
            raise _not_allowed(path, file)
    _check_folder(path)
    _check_head(path)
    refuse_second_writer(path)


def _check_folder(path: Path) -> None:
    """Raise StorageError unless files can be made beside the store, or its folder where it must be."""
    folder = next(folder for folder in path.parents if os.path.lexists(folder))
    if not folder.is_dir():
        raise _cannot_write(path, folder, "it is no folder")
    if not _may(folder, os.W_OK | os.X_OK):
        raise _not_allowed(path, folder)


def _may(path: Path, what: int) -> bool:
    return os.access(path, what, effective_ids=True) and not _is_on_readonly_disk(path)


def _is_on_readonly_disk(path: Path) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _not_allowed(store: Path, what: Path) -> StorageError:
    if _is_on_readonly_disk(what):
        return _cannot_write(store, what, "its disk is read-only", "mount it writable")
    return _cannot_write(store, what, "no permission")


def _cannot_write(store: Path, what: Path, why: str, fix: str = "run this as its owner") -> StorageError:
    return StorageError(
        f"cannot keep events in {printable(str(store))}: {printable(str(what))}: {why}: name another file in "
        f"events.store, or {fix}"
    )


def _check_head(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    version, identity = (int.from_bytes(head[place], "big") for place in (_VERSION, _IDENTITY))
    if head.startswith(_MAGIC) and identity == schema.APPLICATION_ID:
        if is_possible(version):  # else it is damaged
            refuse_newer(path, version)
        return
    is_new = head.startswith(_MAGIC) and version == identity == int.from_bytes(head[_TABLES], "big") == 0
    if not is_new and is_foreign(path):
        raise foreign(path)

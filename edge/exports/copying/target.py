"""The folder that an export is written to: locked, whole files only, and a manifest of them."""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import msgspec

from edge.errors import FieldfareError, StorageError
from edge.exports.copying.output_file import OutputFile
from edge.exports.copying.record import (
    FOLDERS,
    MANIFEST,
    Format,
    Record,
    Unnoted,
    check_free,
    finished,
    is_ours,
    make_folder,
    write_record,
)
from edge.storage import sync_file_system


class Target:
    """A folder that is being exported to, locked against a second export. A context manager. Used by one thread.

    again: whether an export was there before, so that its pictures may serve and its leftovers must go.
    """

    def __init__(self, folder: Path, form: Format, store: str, *, overwrite: bool, resume: bool) -> None:
        """Begin or go on. Raises OutputExistsError if something is there that the options do not allow for,
        StorageError if it cannot be written."""
        self.folder = folder
        self._form: Format = form
        self._store = store
        self._names: set[int] | None = None
        self._made: set[Path] = set()
        with self.writing(folder):
            make_folder(folder)
            self._handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.again = self._begin(overwrite=overwrite, resume=resume)
        except BaseException:
            os.close(self._handle)
            raise

    def _begin(self, *, overwrite: bool, resume: bool) -> bool:
        with self.writing(self.folder):
            _lock(self._handle, self.folder)
            was = os.fstat(self._handle)
            self._identity = (was.st_dev, was.st_ino)
            there = check_free(self.folder, self._form, self._store, overwrite=overwrite, resume=resume)
            if there:
                self._names = set()
                (self.folder / MANIFEST).unlink(missing_ok=True)
            self._note(complete=False)
            self._manifest = OutputFile(self.folder / MANIFEST)
        return there

    def __enter__(self) -> "Target":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # the target may be gone; the reason is already on its way
            self._manifest.discard()
        os.close(self._handle)

    @contextlib.contextmanager
    def writing(self, path: Path) -> Iterator[None]:
        """Turn an OSError in the block into a StorageError that names what was written."""
        try:
            yield
        except FieldfareError:
            raise
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror or error}: {_advice(error.errno)}") from error

    def check_there(self) -> None:
        """Raise OSError if the folder was removed, or if its disk was and the place below it shows."""
        now = self.folder.stat()
        if (now.st_dev, now.st_ino) != self._identity:
            raise FileNotFoundError(errno.ENOENT, "the target was removed", str(self.folder))

    def make_place(self, name: str) -> Path:
        """Make the folders for a file of this name in the target, and return its path. Raises OSError."""
        path = self.folder / name
        if path.parent not in self._made:
            place = self.folder
            for part in Path(name).parts[:-1]:
                place /= part
                place.mkdir(exist_ok=True)
                # A link in a folder that others wrote to would lead pictures out of it.
                if place.is_symlink():
                    raise NotADirectoryError(errno.ENOTDIR, "a link, not a folder", str(place))
            self._made.add(path.parent)
        return path

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[OutputFile]:
        """Write a file beside the folders of pictures. It gets its name if the block ends without an error."""
        path = self.folder / name
        with self.writing(path):
            self.check_there()
            output = OutputFile(path)
            try:
                yield output
                self.check_there()
                self._enter(name, output.seal())
            finally:
                with contextlib.suppress(OSError):
                    output.discard()

    def enter(self, name: str, sha256: str) -> None:
        """Put a file that is on the disk into the manifest. Raises StorageError."""
        with self.writing(self.folder / MANIFEST):
            self._enter(name, sha256)

    def _enter(self, name: str, sha256: str) -> None:
        self._manifest.write(f"{sha256}  {name}\n".encode())
        if self._names is not None:
            self._names.add(hash(name))

    def finish(self, unnoted: Unnoted | None = None) -> None:
        """Remove leftovers, seal the manifest and note that the export is whole, all of it on the disk.

        unnoted: what the store has to note next. The record keeps it until `noted`, as power may fail in between.
        """
        with self.writing(self.folder):
            self.check_there()
            if self._names is not None:
                self._sweep(self._names)
            self._manifest.seal()
            self._note(complete=True, unnoted=unnoted)
            sync_file_system(self._handle)

    def noted(self) -> None:
        """Drop from the record what the store has noted now. Raises nothing: noting it again would change nothing."""
        with contextlib.suppress(OSError, StorageError):
            self.check_there()
            self._note(complete=True)
            sync_file_system(self._handle)

    def sync(self) -> None:
        """Write all that waits for the target's file system. Raises OSError."""
        sync_file_system(self._handle)

    def _note(self, *, complete: bool, unnoted: Unnoted | None = None) -> None:
        form, store = self._form, self._store
        record = Record(format=form, store=store, complete=complete, written_wall_s=time.time(), unnoted=unnoted)
        write_record(self.folder, record)

    def _sweep(self, kept: set[int]) -> None:
        """Remove pictures and tables of the earlier export that are no part of this one."""
        for place, _, names in os.walk(self.folder, topdown=False):
            inside = Path(place).relative_to(self.folder)
            if inside.parts and inside.parts[0] not in FOLDERS:
                continue
            for name in names:
                if is_ours(inside, name) and hash((inside / name).as_posix()) not in kept:
                    Path(place, name).unlink()
            if inside.parts:
                with contextlib.suppress(OSError):  # not empty: somebody else's file
                    Path(place).rmdir()


def settle(folder: Path, form: Format, store: str, note: Callable[[Unnoted], bool]) -> Record | None:
    """Return the record of a whole export of this store to this format; None if there is none.

    note: called with what the store has not noted of it yet, if there is any; returns whether it has now.
    Raises StorageError if another export is writing there, and what `note` raises.
    """
    if finished(folder, form, store) is None:
        return None
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(handle, folder)
        record = finished(folder, form, store)  # as it is under the lock
        if record is not None and record.unnoted is not None and note(record.unnoted):
            with contextlib.suppress(OSError, StorageError):  # a read-only target: noting it again changes nothing
                write_record(folder, msgspec.structs.replace(record, unnoted=None))
                sync_file_system(handle)
        return record
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StorageError(f"{folder}: another export is writing there: wait for its end") from None
    except OSError as error:
        # Some file systems of sticks, in user space, have no locks.
        if error.errno not in (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK):
            raise


def _advice(number: int | None) -> str:
    if number in (errno.EEXIST, errno.ENOTDIR):
        return "a folder is needed there: choose another name"
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "what was copied is there and checked: free some space, then add --resume"
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        return "choose a place that can be written to"
    return "what was copied is there and checked: is the target still plugged in? Then add --resume"

"""Keep JPEGs as files below one folder: written whole or not at all, and found again by the event's identity."""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from edge.storage import read_bounded, replace_file

# A frame of 8192 x 8192 at quality 100 takes less. What is larger is no picture of ours.
MOST_BYTES = 16 << 20
_BEGIN, _END = b"\xff\xd8\xff", b"\xff\xd9"
_PARTIAL = ".partial"
_OWNER, _LONGEST_PATH = ".store", 1 << 13
_NAME = re.compile(r"(-?\d+)-[a-z]+(?:-\d+)?\.jpg")


class StoredFile(msgspec.Struct, frozen=True):
    """A file that was written. name: below the folder. size: in bytes. sha256: of its bytes, in hexadecimal."""

    name: str
    size: int
    sha256: str


def read_jpeg(file: int) -> bytes:
    """Return the JPEG in an open file. Raises ValueError with the reason for anything else, OSError if it fails."""
    # At its beginning whatever its position is: the sender's descriptor shares that.
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("not a plain file")
    if status.st_size > MOST_BYTES:
        raise ValueError(f"{status.st_size} bytes: must be at most {MOST_BYTES}")
    data = os.pread(file, MOST_BYTES, 0)
    if not (data.startswith(_BEGIN) and data.endswith(_END)):
        raise ValueError("not a whole JPEG")
    return data


def file_name(boot: str, sequence: int, kind: str, index: int) -> str:
    """Return the name of a picture below its folder. index: counts those of one kind from 0."""
    # No label in it: that may hold anything, and change its meaning when a person corrects it.
    return f"{folder_name(boot)}/{sequence}-{kind}{f'-{index + 1}' if index else ''}.jpg"


def folder_name(boot: str) -> str:
    """Return the folder of a boot, which is no other folder whatever the id holds."""
    return re.sub(r"[^0-9A-Za-z]", "", boot)[:8] or "boot"


def remove_picture(path: Path) -> None:
    """Remove a picture, if it is there and has a name of ours: a damaged store may name any file. Raises OSError."""
    if _NAME.fullmatch(path.name):
        path.unlink(missing_ok=True)


class PictureFolder:
    """Pictures below `root`, in one folder for each boot. Used by one thread.

    What was written is safe from a power cut after `sync`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._unsynced: set[Path] = set()
        self._made: set[Path] = set()

    def keep(self, name: str, data: bytes) -> StoredFile:
        """Write a picture, if there is none of that name yet. Raises OSError, and leaves nothing behind."""
        # Here: OpenSSL takes 0.8 MiB, which a recorder without pictures need not have.
        import hashlib

        path = self.root / name
        # One that is there was sent again, because its acknowledgement was lost. It may be in the store already, with
        # its hash, and its EXIF would now have another time.
        there = self._read(path)
        self._make_folder(path.parent)
        if there is None:
            self._write(path, data)
        self._unsynced.add(path.parent)
        kept = there or data
        return StoredFile(name, len(kept), hashlib.sha256(kept).hexdigest())

    def _read(self, path: Path) -> bytes | None:
        try:
            return read_bounded(path, MOST_BYTES, follow=False)
        except FileNotFoundError:
            return None

    def _write(self, path: Path, data: bytes) -> None:
        partial = path.with_name(f".{path.name}{_PARTIAL}")
        with suppress(FileNotFoundError):
            partial.unlink()
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
        try:
            try:
                _write_all(handle, data)
                os.fsync(handle)
            finally:
                os.close(handle)
            partial.replace(path)
        except OSError:
            with suppress(OSError):
                partial.unlink()
            raise

    def sync(self) -> None:
        """Put the names of all that was written onto the disk. Raises OSError; what was written is then given up."""
        folders = sorted(self._unsynced)
        self._unsynced.clear()
        try:
            for folder in folders:
                _sync_folder(folder)
        except OSError:
            self._made.clear()
            raise

    def free_bytes(self) -> int:
        """Return what is free on the disk. Raises OSError."""
        folder = next(folder for folder in (self.root, *self.root.parents) if folder.exists())
        disk = os.statvfs(folder)
        return disk.f_bavail * disk.f_frsize

    def is_of(self, store: Path) -> bool:
        """Return whether the folder belongs to this store; the first that asks owns it. Raises OSError."""
        # Two services that were given one folder would each take the other's pictures for strays. By the way from the
        # folder to the store, so that both can be moved together.
        mark = self.root / _OWNER
        words = os.fsencode(os.path.relpath(store, self.root))
        try:
            return read_bounded(mark, _LONGEST_PATH, follow=False) == words
        except FileNotFoundError:
            if self.root.is_dir():
                replace_file(mark, words, 0o640, synced=False)
            return True

    def files(self) -> Iterator[tuple[Path, bool]]:
        """Yield all files of ours: path, and whether it is whole; the others were being written when the power failed.
        Files that are not ours are left out. Raises OSError."""
        for folder in _entries(self.root):
            if not folder.is_dir(follow_symlinks=False):
                continue
            for entry in _entries(Path(folder.path)):
                whole = _NAME.fullmatch(entry.name) is not None
                if whole or (entry.name.startswith(".") and entry.name.endswith(f".jpg{_PARTIAL}")):
                    yield Path(entry.path), whole

    def _make_folder(self, folder: Path) -> None:
        is_there = folder.is_dir()
        if is_there and folder in self._made:
            return
        if is_there:
            # A recorder before this one may have been killed between making and syncing them.
            for above in (folder.parent, self.root.parent):
                with suppress(OSError):  # of a folder that is not ours, and that we may not read
                    _sync_folder(above)
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(0o750, parents=True, exist_ok=True)
        # Also the folders above, whose entries are new: the top one's parent holds the first of them.
        self._unsynced.update(one.parent for one in missing)
        self._made.add(folder)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except FileNotFoundError:  # not made yet, or removed meanwhile
        return


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.write(handle, view)
        if not written:
            raise OSError(errno.EIO, "nothing was written")
        view = view[written:]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

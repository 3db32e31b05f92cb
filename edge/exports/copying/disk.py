"""Write files so that what is read back comes from the disk: sync, drop the cache, hash."""

import hashlib
import os
import stat
from pathlib import Path

CHUNK = 1 << 20
PARTIAL = ".partial"


def create(path: Path) -> int:
    """Open a file for writing under a name that nothing else has. Raises OSError."""
    path.unlink(missing_ok=True)  # left by a process that was killed
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)


def open_plain(path: Path) -> int:
    """Open a plain file for reading: no link, no pipe, no device. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileNotFoundError(2, "not a plain file", str(path))
    return handle


def write_all(handle: int, data: bytes) -> None:
    """Write all of it. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def hash_from_disk(path: Path) -> str:
    """Return the SHA-256 of a file that was synced, read past the page cache if the file system allows that."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        # Only clean pages are dropped, so whoever calls this has synced the file.
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        found = hashlib.sha256()
        while piece := os.read(handle, CHUNK):
            found.update(piece)
    finally:
        os.close(handle)
    return found.hexdigest()

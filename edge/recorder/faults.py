"""Put what keeps events and pictures from being written into one line: what, where, and what to do about it."""

import errno

from edge.errors import FieldfareError
from edge.printable import printable

_PERMISSION = "no permission: give the folder to the service's user"
_FIXES = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the quota is used up: free some space",
    errno.EROFS: "the disk is read-only: mount it writable, or replace a worn card",
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EIO: "the disk fails: replace the card",
    errno.ENOTDIR: "a file is where a folder must be: move it away",
    errno.EISDIR: "a folder is where a file must be: move it away",
    errno.ELOOP: "a link is where a file must be: remove it",
}


def describe(error: Exception) -> str:
    """Return one line about an error of keeping."""
    if isinstance(error, FieldfareError) or not isinstance(error, OSError):
        return str(error)
    where = f"cannot write {printable(str(error.filename))}: " if error.filename else "cannot write: "
    return where + (_FIXES.get(error.errno or 0) or error.strerror or str(error))

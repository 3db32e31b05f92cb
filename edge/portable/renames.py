"""Rename in one step what Linux can, and as nearly so as the system and the disk allow elsewhere."""

import errno
import os
from pathlib import Path

from edge.portable.system import libc, open_flags

# AT_FDCWD, RENAME_NOREPLACE and RENAME_EXCHANGE of Linux' headers.
_AT_CWD, _NOREPLACE, _EXCHANGE = -100, 1, 2
# What rename has for a name that is taken: by anything, by a folder with files in it, by a file where a folder comes.
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


class NameTakenError(FileExistsError):
    """A new file or folder whose name something else has."""


def move_new(new: Path, path: Path) -> None:
    """Rename a file or folder to a name that nothing has. Raises NameTakenError if something does, which stays; OSError
    with another reason."""
    problem = _renameat2(new, path, _NOREPLACE)
    if problem == 0:
        return
    try:
        if problem == errno.EEXIST:
            raise FileExistsError(problem, os.strerror(problem))
        if new.is_dir():
            new.rename(path)
        else:
            _link_new(new, path)
    except OSError as error:
        if error.errno in _TAKEN and os.path.lexists(path):
            raise NameTakenError(error.errno, error.strerror, str(path)) from error
        raise


def _link_new(new: Path, path: Path) -> None:
    try:
        os.link(new, path)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # no links on this file system: an empty file holds the name
        os.close(os.open(path, open_flags("O_WRONLY", "O_CREAT", "O_EXCL"), 0o644))
        try:
            new.replace(path)
        except BaseException:
            path.unlink()
            raise
    else:
        new.unlink()


def exchange(one: Path, other: Path) -> None:
    """Swap two directories in one step, or in two renames if the file system cannot do that. Raises OSError."""
    if _renameat2(one, other, _EXCHANGE) != 0:
        aside = one.with_name("old")
        other.rename(aside)
        try:
            one.rename(other)
        except BaseException:
            aside.rename(other)
            raise


def _renameat2(one: Path, other: Path, flag: int) -> int:
    """Rename as only Linux, and not every file system, can. Return 0, or the error's number."""
    import ctypes  # as in system: most commands need it not

    call = getattr(libc(), "renameat2", None)
    if call is None:
        return errno.ENOSYS
    done = call(_AT_CWD, os.fsencode(one), _AT_CWD, os.fsencode(other), flag)
    return ctypes.get_errno() if done != 0 else 0

"""What only some systems have: modules, signals, flags, calls of the C library; None or nothing on the others."""

import errno
import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

# subprocess has the same number where the system has no name for it. Windows' kernel ends a process with any status.
SIGKILL: int = getattr(signal, "SIGKILL", 9)
SIGALRM: int = getattr(signal, "SIGALRM", 14)


def module_or_none(name: str) -> Any:
    """Import a module of the standard library that not every system has; None if this one lacks it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def is_linux() -> bool:
    """Return whether this system has what the device's service is built on."""
    # Not the system's name: what is asked for is the calls, and of all systems with Python 3.11 only Linux has this.
    return hasattr(os, "memfd_create")


def can_fork() -> bool:
    """Return whether a process can be forked; Windows' cannot."""
    return hasattr(os, "fork")


def libc() -> Any:
    """Return the C library of this process, its errors in ctypes.get_errno(); None on Windows, which has several."""
    import ctypes  # here and below: most commands need neither, and each takes milliseconds

    try:
        return ctypes.CDLL(None, use_errno=True)
    except TypeError:
        return None


def share_one_heap() -> None:
    """Let all threads take memory from one heap, if the C library can. Call it before any thread starts.

    glibc gives each thread a heap of its own, which keeps the most that it ever took."""
    arena_max = -8  # M_ARENA_MAX of glibc's malloc.h
    library = libc()
    if library is not None and hasattr(library, "mallopt"):
        library.mallopt(arena_max, 1)


def open_flags(*names: str) -> int:
    """Return the flags for os.open of these names, without those that this system lacks; the file is never inherited,
    and no byte of it is changed."""
    # Without O_BINARY, Windows would write two bytes for each line's end.
    always = ("O_CLOEXEC", "O_NOINHERIT", "O_BINARY")
    flags = 0
    for name in (*names, *always):
        flags |= getattr(os, name, 0)
    return flags


def stopping_signals() -> tuple[signal.Signals, ...]:
    """Return the signals by which others end a command: SIGTERM, and SIGHUP of a closed terminal, except on Windows."""
    return tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


def set_mode(handle: int, mode: int) -> None:
    """Set the permissions of an open file, on systems that can. Raises OSError."""
    if hasattr(os, "fchmod"):
        os.fchmod(handle, mode)


def reserve(handle: int, size: int, folder: Path) -> None:
    """Let an open file in `folder` have `size` bytes, and the space for them. Raises OSError if there is too little.

    On Windows and macOS the space is only looked at: another program may take it later.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
        return
    import shutil

    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.ftruncate(handle, size)


def refuses_links(error: OSError) -> bool:
    """Return whether a link could not be made since there are none here: FAT has none, and Windows only for some
    users."""
    not_for_this_user = 1314  # ERROR_PRIVILEGE_NOT_HELD of Windows, whose errno is any
    none_here = (errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOSYS)
    return error.errno in none_here or getattr(error, "winerror", None) == not_for_this_user


def lacking() -> tuple[str, ...]:
    """Return what guards against damaged photos and models this system lacks, in words for a message."""
    memory = module_or_none("resource") is not None and sys.platform != "darwin"
    found = {
        "no limit on memory": memory,
        "no process apart for models": can_fork(),
        "no alarm for what hangs": hasattr(signal, "setitimer"),
    }
    return tuple(words for words, there in found.items() if not there)

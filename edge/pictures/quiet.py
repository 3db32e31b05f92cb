"""Keep what decoders of pictures print by themselves off standard error."""

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_lock = threading.Lock()
_users = 0


@contextmanager
def decoders_quiet() -> Iterator[None]:
    """Let native code print nothing to C's standard error during the block, in any thread. What Python prints, our log
    too, is not held back."""
    # libjpeg and libtiff print a line for each fault beside the one that their callers raise, and neither OpenCV nor
    # Pillow offers a switch. They print to C's variable `stderr`, which a program may set to another stream (GNU C
    # Library, Standard Streams); Python writes to the descriptor. So no line of another thread's log is lost, as it
    # would be if the descriptor were redirected. It takes 4 us.
    global _users
    with _lock:  # the second of two threads would take the first one's stream for the real one
        streams = _streams()
    if streams is None:
        yield
        return
    variable, nowhere, real = streams
    with _lock:
        _users += 1
        variable.value = nowhere
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                variable.value = real


@cache
def _streams() -> tuple[ctypes.c_void_p, int, int] | None:
    """Return C's variable `stderr`, a stream that leads nowhere, and the one that is in the variable; None if the C
    library is not GNU's, where the variable may be a constant, or there is no /dev/null."""
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 - is it there?
        variable = ctypes.c_void_p.in_dll(library, "stderr")
    except (AttributeError, ValueError, OSError, TypeError):  # TypeError: Windows has several C libraries
        return None
    library.fopen.restype, library.fopen.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]
    nowhere, real = library.fopen(os.fsencode(os.devnull), b"we"), variable.value
    return None if nowhere is None or real is None else (variable, nowhere, real)

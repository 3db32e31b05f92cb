"""Keep two installers from meeting."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from edge.errors import UnavailableError
from edge.installing.layout import Layout
from edge.installing.system.files import make_folder


@contextlib.contextmanager
def locked(layout: Layout) -> Iterator[int]:
    """Hold the lock in the block; yields it as an open file, which programs that are started may hold, too. Raises
    UnavailableError if another installer holds it."""
    # A folder that stays: a lock file in the program's folder would go with it, and two could then hold two.
    make_folder(layout.opt)
    handle = os.open(layout.opt, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnavailableError(
                "another installation runs here, or one that was killed has left a program behind: wait for its end, "
                "then do this again"
            ) from error
        yield handle
    finally:
        os.close(handle)

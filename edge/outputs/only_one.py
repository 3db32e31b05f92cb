"""Let one process at a time send the events of a store."""

import errno
import fcntl
import os
from pathlib import Path

from edge.errors import UnavailableError
from edge.outputs.unwritable import report_unwritable


def claim(folder: Path) -> int | None:
    """Lock the folder of the cursors for as long as this process lives; return what holds the lock.

    None: the folder cannot be written. Then cursors cannot be kept either, and events are sent all the same.
    Raises UnavailableError if another process holds it.
    """
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    except OSError as error:
        report_unwritable(folder, error)
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if error.errno != errno.EWOULDBLOCK:
            raise
        # Two would send each event twice, and throw each other out of the broker.
        raise UnavailableError(
            f"{folder}: another process sends the events of this store: stop it (fieldfare-outputs.service?), "
            "or start `fieldfare run` with --no-outputs"
        ) from error
    return handle

"""Report a folder of the outputs' own that cannot be written: once for a cause, however many of them meet it."""

import logging
from pathlib import Path

_log = logging.getLogger(__name__)

_known: set[tuple[Path, int | None]] = set()


def report_unwritable(folder: Path, error: OSError) -> None:
    """Log that nothing can be written into a folder of cursors. The same cause again is for debugging only."""
    cause = (folder, error.errno)
    level = logging.DEBUG if cause in _known else logging.WARNING
    _known.add(cause)
    _log.log(level, "%s: cannot write: %s; after a restart events are sent twice", folder, error.strerror or error)

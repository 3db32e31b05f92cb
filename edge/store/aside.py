"""Set a damaged store aside, so that a fresh one can be begun, and the old one be looked at."""

import logging
from pathlib import Path

from edge.errors import StorageError
from edge.printable import printable
from edge.store.files import files_of, located, next_numbered, numbered, sync_folder
from edge.store.locking import WriterLock

_log = logging.getLogger(__name__)

# A store may be gigabytes: more than this would fill the card.
MOST_KEPT = 3


def set_aside(path: Path) -> Path:
    """Rename the store and SQLite's files beside it to NAME.damaged-N. Return its new path.

    The three newest are kept; if an older one goes, that is logged. The store must be closed. Raises UnavailableError
    if another process writes it, StorageError if it cannot be renamed.
    """
    path = located(path)
    with WriterLock(path):
        try:
            kept = damaged_stores(path)
            new = next_numbered(path, "damaged", kept)
            # The store comes last: if this is cut short, it still lies under its name, and the next start goes on.
            for old, aside in reversed(list(zip(files_of(path), files_of(new), strict=True))):
                if old.exists():
                    old.rename(aside)
            sync_folder(path)
            for oldest in kept[: max(0, len(kept) + 1 - MOST_KEPT)]:
                _remove(oldest)
        except OSError as error:
            raise StorageError(
                f"cannot set the damaged store {printable(str(path))} aside ({error.strerror}): check its disk"
            ) from error
    return new


def damaged_stores(path: Path) -> list[Path]:
    """Return the stores that were set aside here, oldest first."""
    return numbered(path, "damaged")


def _remove(path: Path) -> None:
    _log.warning("%s: removed, as %d newer damaged stores are kept", path, MOST_KEPT)
    for file in files_of(path):
        file.unlink(missing_ok=True)

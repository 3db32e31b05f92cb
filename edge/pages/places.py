"""Where the pages keep what is theirs: beside the store, for its owner alone."""

from pathlib import Path

from edge.errors import StorageError
from edge.printable import printable
from edge.storage import replace_file
from edge.store.files import beside, located


def folder_of(store: Path) -> Path:
    """Return the folder for the password, the sessions and the certificate."""
    return beside(located(store), ".pages")


def keep_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, into that folder, which is made if need be. Raises StorageError."""
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        replace_file(path, data, 0o600, synced=True)
    except OSError as error:
        raise StorageError(f"{printable(str(path))}: cannot write: {error.strerror or error}") from error

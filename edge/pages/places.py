"""Where the pages keep what is theirs: beside the store, for its owner alone; and requests in memory."""

import contextlib
import os
from pathlib import Path

from edge.errors import StorageError
from edge.live.places import requests_of
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


def make_folder(folder: Path) -> None:
    """Make that folder, for its owner alone, if it is not there. Raises StorageError."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{printable(str(folder))}: cannot be made: {error.strerror or error}") from error


def make_requests(run_dir: Path, user: int, group: int) -> None:
    """Make the folder for requests to the service that keeps its files in `run_dir`, for another user, if there is such
    a service and no such folder. Called by root."""
    folder = requests_of(run_dir)
    if not run_dir.is_dir():
        return
    # It may be there already, or its place may be read-only: then the page of the live picture shows what is wrong.
    with contextlib.suppress(OSError):
        folder.parent.mkdir(mode=0o755, exist_ok=True)
        folder.mkdir(mode=0o750)
        # Not by its name: somebody else may have put another thing there meanwhile.
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchown(handle, user, group)
        finally:
            os.close(handle)

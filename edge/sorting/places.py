"""Find where a session is kept, and where its pictures are."""

import hashlib
import os
from pathlib import Path

from edge.errors import MissingInputError
from edge.exports.copying.names import safe_name

FILE = "session.db"
MISTAKES = "mistakes.db"
_ENDING = ".sorting"


def session_of(folder: Path, file: str = FILE) -> Path:
    """Return the session's file for a folder of photos: beside it, or in the user's own data if that cannot be written,
    as for a stick or a card. One that is there already is found again."""
    real = Path(os.path.realpath(folder))
    beside = real.parent / f"{real.name}{_ENDING}" / file
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:8]
    own = _data_home() / "fieldfare" / "sorting" / f"{safe_name(real.name or 'root', 60)}-{digest}" / file
    for place in (beside, own):
        if place.is_file():
            return place
    writable = real.parent != real and os.access(real.parent, os.W_OK) and not _is_mount(real)
    return beside if writable else own


def _is_mount(folder: Path) -> bool:
    try:
        return folder.is_mount()
    except (OSError, NotImplementedError):  # Windows, before Python 3.12
        return False


def _data_home() -> Path:
    given = os.environ.get("XDG_DATA_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(given) if given else Path.home() / ".local" / "share"


class Files:
    """The one way from a picture of a session to its file.

    root: the folder that paths are relative to. confined: whether nothing outside it may be read, as on a device, whose
    store names the files.
    """

    def __init__(self, root: Path, *, confined: bool) -> None:
        self.root = root
        self._confined = confined

    def path_of(self, file: bytes) -> Path:
        """Return where the picture is. Raises MissingInputError if it is not there, or not where pictures may be."""
        path = self.root / os.fsdecode(file)
        try:
            real = path.resolve(strict=True)
            allowed = not self._confined or real.is_relative_to(self.root.resolve())
            if allowed and real.is_file():
                return real
        except (OSError, ValueError, RuntimeError) as error:
            raise MissingInputError("the picture is not there any more") from error
        raise MissingInputError("the picture is not there any more")

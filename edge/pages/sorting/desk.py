"""What the sorting pages share: the session, its pictures, and what may be done with them here."""

import getpass
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from edge.errors import MissingInputError, UnavailableError
from edge.pages.access.sessions import Sessions
from edge.pages.errands.errands import Errands
from edge.pages.places import folder_of
from edge.pages.rendering import page
from edge.pages.site import Site
from edge.pages.wording import texts
from edge.sorting.apart.thumbnails import Thumbnails
from edge.sorting.indexing import Indexing
from edge.sorting.places import FILE, Files
from edge.sorting.session import Session
from edge.sorting.training import Training


class NotBegunError(MissingInputError):
    """Nothing was brought into the session yet."""


class Desk:
    """A session on a device or a desktop. Thread-safe.

    here: the page of the menu that these pages belong to; "" for no menu. indexing: brings a store's pictures in; None
    if the session is complete. out: the folder to export into; None: only as a download. classes: known ones.
    sessions: who is logged in; None if nobody can log out. session: one that is open already, and closed by others.
    training: trains on what was handed out; None if that cannot be done here. errands: what is done beside the pages.
    """

    def __init__(
        self,
        place: Path,
        files: Files,
        *,
        here: str,
        indexing: Indexing | None = None,
        out: Path | None = None,
        classes: Sequence[str] = (),
        sessions: Sessions | None = None,
        session: Session | None = None,
        training: Training | None = None,
        errands: Errands | None = None,
    ) -> None:
        self.files, self.here, self.indexing, self.out = files, here, indexing, out
        self.classes, self.sessions, self.training = tuple(classes), sessions, training
        self.errands = Errands() if errands is None else errands
        self.thumbnails = Thumbnails()
        self._place = place
        self._lock = threading.Lock()
        self._is_own = session is None
        self._session = session

    @classmethod
    def of_store(cls, site: Site) -> "Desk":
        """Return that of a device: its store names the pictures, and none outside the store's folder is shown."""
        indexing = Indexing(site.store, site.bundle, partial(_alone, site.errands))
        files = Files(site.store.parent, confined=True)
        place = session_file(site.store)
        return cls(place, files, here="sort", indexing=indexing, sessions=site.sessions, errands=site.errands)

    def place_out(self) -> Path:
        """Return the folder to export into. Raises UnavailableError if there is none."""
        if self.out is None:
            raise UnavailableError("nothing is written here: download it")
        return self.out

    @property
    def is_local(self) -> bool:
        """Whether it serves the person at this machine alone."""
        return self.out is not None

    def session(self, *, begin: bool = False) -> Session:
        """Return the session. begin: make it if there is none.

        Raises NotBegunError if there is none, and what Session raises."""
        with self._lock:
            if self._session is None:
                if not begin and not self._place.is_file():
                    raise NotBegunError("nothing was brought here yet")
                self._session = Session(self._place)
            return self._session

    def close(self) -> None:
        """Close what is open."""
        self.thumbnails.close()
        if self.training is not None:
            self.training.close()
        with self._lock:
            if self._session is not None and self._is_own:
                self._session.close()
                self._session = None

    def who(self, request: Request) -> str:
        """Return who asks: the user of this machine, or the address of a browser."""
        if self.is_local:
            return _user()
        return request.client.host if request.client is not None else ""

    def page(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """Return a template of these pages, filled in."""
        return page(template, self.here, self, status=status, desk=self, **context)


def session_file(store: Path) -> Path:
    """Return where the session over a store is kept."""
    return folder_of(store) / "sorting" / FILE


@contextmanager
def _alone(errands: Errands) -> Iterator[threading.Event]:
    with errands.held(texts().sorting.errand) as running:
        yield running.cancelled


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may have no name for its user
        return ""

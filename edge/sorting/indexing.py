"""Bring what a store holds into a session, in the background: its pictures, grouped."""

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from edge.errors import FieldfareError
from edge.sorting.grouping import GroupingError, group_pictures
from edge.sorting.session import Session
from edge.sorting.stored import by_looks, by_origin, kept_in

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is. running: whether it goes on. added: pictures, once it has ended. fault: what went wrong, or why
    the groups are not by looks; "" for nothing."""

    running: bool = False
    done: int = 0
    total: int = 0
    added: int | None = None
    fault: str = ""


class Indexing:
    """Looks for new pictures in a store, one time at once. bundle: whose network groups them; None: by label, reason
    and time."""

    def __init__(self, store: Path, bundle: Path | None) -> None:
        self._store, self._bundle = store, bundle
        self._lock = threading.Lock()
        self._progress = Progress()

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._progress

    def begin(self, session: Session) -> None:
        """Begin, unless it is running."""
        with self._lock:
            if self._progress.running:
                return
            self._progress = Progress(running=True)
            threading.Thread(target=self._work, args=(session,), daemon=True, name="sorting").start()

    def _work(self, session: Session) -> None:
        try:
            self._progress = self._index(session)
        except FieldfareError as error:
            self._progress = Progress(fault=str(error))
        except BaseException as error:
            self._progress = Progress(fault=f"{type(error).__name__}: {error}")
            _log.exception("sorting: the pictures were not indexed")
            raise

    def _index(self, session: Session) -> Progress:
        kept = kept_in(self._store, session.known())
        fault = ""
        root = self._store.parent
        try:
            if self._bundle is None:
                found = by_origin(kept, root)
            else:
                groups = group_pictures([one.path for one in kept], self._bundle, self._advance)
                found = by_looks(kept, groups, root)
        except GroupingError as error:
            found, fault = by_origin(kept, root), str(error)
        return Progress(added=session.add(found), fault=fault)

    def _advance(self, done: int, total: int) -> None:
        self._progress = Progress(running=True, done=done, total=total)

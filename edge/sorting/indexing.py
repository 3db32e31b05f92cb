"""Bring what a store holds into a session, in the background: its pictures, grouped."""

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
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


class _CancelledError(FieldfareError):
    """Somebody ended it."""


class Indexing:
    """Looks for new pictures in a store, one time at once.

    bundle: returns whose network groups them; None: by label, reason and time. alone: held meanwhile; its event ends
    the grouping."""

    def __init__(
        self,
        store: Path,
        bundle: Callable[[], Path | None],
        alone: Callable[[], AbstractContextManager[threading.Event]],
    ) -> None:
        self._store, self._bundle, self._alone = store, bundle, alone
        self._lock = threading.Lock()
        self._progress = Progress()

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._progress

    def begin(self, session: Session) -> None:
        """Begin, unless it is running. Raises what `alone` raises."""
        with self._lock:
            if self._progress.running:
                return
            held = ExitStack()
            cancelled = held.enter_context(self._alone())
            self._progress = Progress(running=True)
            work = threading.Thread(target=self._work, args=(session, held, cancelled), daemon=True, name="sorting")
            try:
                work.start()
            except RuntimeError:  # there are too many
                self._progress = Progress()
                held.close()
                raise

    def _work(self, session: Session, held: ExitStack, cancelled: threading.Event) -> None:
        with held:
            try:
                progress = self._index(session, cancelled)
            except FieldfareError as error:
                progress = Progress(fault=str(error))
            except BaseException as error:
                self._progress = Progress(fault=f"{type(error).__name__}: {error}")
                _log.exception("sorting: the pictures were not indexed")
                raise
        self._progress = progress

    def _index(self, session: Session, cancelled: threading.Event) -> Progress:
        def advance(done: int, total: int) -> None:
            _check(cancelled)
            self._progress = Progress(running=True, done=done, total=total)

        kept = kept_in(self._store, session.known())
        fault = ""
        root = self._store.parent
        try:
            bundle = self._bundle()
            if bundle is None:
                found = by_origin(kept, root)
            else:
                groups = group_pictures([one.path for one in kept], bundle, advance)
                found = by_looks(kept, groups, root)
        except GroupingError as error:
            found, fault = by_origin(kept, root), str(error)
        _check(cancelled)
        return Progress(added=session.add(found), fault=fault)


def _check(cancelled: threading.Event) -> None:
    if cancelled.is_set():
        raise _CancelledError("cancelled: no picture was added")

"""Bring photos into a session for `fieldfare label`: those that it does not have yet."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli.streams import complain
from edge.errors import DataError, MissingInputError
from edge.printable import counted

if TYPE_CHECKING:
    from edge.sorting.grouping import Advance
    from edge.sorting.records import Found
    from edge.sorting.session import Session

_STORE = "events.db"
_MANY = 100


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line names. photos: a folder, a store, or a folder that holds a store."""

    photos: Path
    groups: Path | None
    report: Path | None
    bundle: Path | None
    threads: int

    @property
    def is_store(self) -> bool:
        """Whether the photos are those of a store of events."""
        return self.photos.is_file() or (self.photos / _STORE).is_file()

    @property
    def subject(self) -> Path:
        """What is sorted: the folder of photos, or the store."""
        return self.photos / _STORE if self.is_store and self.photos.is_dir() else self.photos

    @property
    def root(self) -> Path:
        """The folder that the session's paths are relative to."""
        return self.subject.resolve().parent if self.is_store else self.photos.resolve()


def fill(session: "Session", given: Given) -> None:
    """Add what is not in the session yet, grouped. Raises MissingInputError, DataError."""
    before = session.totals().pictures
    _check_kind(session, given)
    found: Iterable[Found]
    if given.is_store:
        found = _of_store(session, given)
    elif given.groups is not None or given.report is not None:
        found = _of_table(given)
    else:
        found = _of_folder(session, given)
    about = {"kind": _kind(given), "subject": _text(given.subject)}
    added = session.add(found, about)
    if before:
        complain(f"fieldfare: resumed; {counted(added, 'photo', grouped=True)} came anew")
    if not session.totals().pictures:
        raise MissingInputError(f"{given.photos}: no photo there that can be read")


def _check_kind(session: "Session", given: Given) -> None:
    """Raise DataError if the session was begun otherwise, unless nothing says how now."""
    begun, now = session.about().get("kind"), _kind(given)
    if begun is not None and now != begun and now != "folder":
        raise DataError(f"{session.path}: was begun by {begun}, not by {now}: give another file with --session")


def _kind(given: Given) -> str:
    if given.is_store:
        return "store"
    return "report" if given.report is not None else "groups" if given.groups is not None else "folder"


def _text(path: Path) -> str:
    """Return a path as text that SQLite takes."""
    return str(path.absolute()).encode("utf-8", "replace").decode()


def _of_folder(session: "Session", given: Given) -> Iterator["Found"]:
    from edge.sorting.sources import grouped, photos_in

    files = photos_in(given.photos)
    about = session.about().get("kind")
    if about in ("report", "groups"):  # resumed without the option: what it named is there
        return iter(())
    known = session.known()
    new = [file for file in files if file not in known]
    paths = [given.root / os.fsdecode(file) for file in new]
    return grouped(new, _groups_of(paths, given))


def _of_table(given: Given) -> Sequence["Found"]:
    from edge.sorting.sources import of_report, of_table, photos_in

    photos_in(given.photos)
    if given.groups is not None:
        return of_table(given.groups, given.photos)
    assert given.report is not None
    return of_report(given.report, given.photos)


def _of_store(session: "Session", given: Given) -> Sequence["Found"]:
    from edge.sorting.stored import by_looks, kept_in

    kept = kept_in(given.subject.resolve(), session.known())
    groups = _groups_of([one.path for one in kept], given)
    return by_looks(kept, groups, given.root)


def _groups_of(paths: Sequence[Path], given: Given) -> list[list[int]]:
    from edge.sorting.grouping import group_pictures

    if given.bundle is None and len(paths) >= _MANY:
        complain("fieldfare: grouped by colours and edges; --bundle or --groups sees more (docs/labelling.md)")
    with _shown(len(paths)) as advance:
        groups = group_pictures(paths, given.bundle, advance, threads=given.threads)
    left_out = len(paths) - sum(map(len, groups))
    if left_out:
        complain(f"fieldfare: {counted(left_out, 'photo', grouped=True)} that cannot be read left out")
    return groups


@contextmanager
def _shown(total: int) -> Iterator["Advance"]:
    """Show how far it is, on a terminal."""
    hidden = total < _MANY or not sys.stderr.isatty()
    with click.progressbar(length=total, label="looking at photos", file=sys.stderr, hidden=hidden) as bar:
        yield lambda done, _total: bar.update(done - bar.pos)

"""Group photos that must stay in one split: near-duplicates, and those of one visit by folder, file name or table."""

import csv
import re
import signal
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError, DatasetError, MissingInputError
from edge.images import readable_name
from edge.storage import read_bounded
from trainer.dataset.components import linked, numbered
from trainer.dataset.layouts.tables import MOST_BYTES, read_table
from trainer.dataset.listing import Listing, Photo

# Matching a nested repeat, such as ^(a+)+b, takes time that doubles with every letter. A harmless pattern takes about
# a second for a million names.
MATCHING_S = 10.0
_FORMS = "'folder', 'name:REGEX' or 'csv:FILE:COLUMN'"


@dataclass(frozen=True, slots=True)
class GroupBy:
    """The rule by which photos form visits.

    kind: by sub-folder of the class folder, by file name, or by CSV table.
    text: the rule as the user wrote it.
    pattern: for "name", matched with the file name.
    table: for "csv", the file.
    column: for "csv", the column of the table that names the visit.
    rows: for "csv", the visit of each file, once the table was read: a pipe is read only once.
    """

    kind: Literal["folder", "name", "csv"]
    text: str
    pattern: re.Pattern[str] | None = None
    table: Path | None = None
    column: str = ""
    rows: dict[str, str] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Visits:
    """The visits that a GroupBy found.

    groups: int64 (photos,): photos of one visit share a number.
    count: how many visits there are.
    unmatched: how many photos belong to none; each is a group of its own.
    """

    groups: NDArray[np.int64]
    count: int
    unmatched: int


def parse_group_by(text: str) -> GroupBy:
    """Parse the value of --group-by. Raises ConfigError if it is not one of the three forms."""
    kind, _, rest = text.partition(":")
    if text == "folder":
        return GroupBy("folder", text)
    if kind == "name" and rest:
        try:
            return GroupBy("name", text, pattern=re.compile(rest))
        except (re.error, RecursionError, OverflowError) as error:
            raise ConfigError(f"--group-by {text!r}: not a regular expression ({error}): fix the pattern") from error
    table, _, column = rest.rpartition(":")
    if kind == "csv" and table and column:
        return GroupBy("csv", text, table=Path(table), column=column)
    raise ConfigError(f"--group-by {text!r}: must be {_FORMS}, such as 'name:^(cam\\d+_\\d+)'")


def visit_groups(listing: Listing, group_by: GroupBy) -> Visits:
    """Find the visit of each photo. Photos with the same folder, text or cell belong together in any class.

    Raises DatasetError if no photo belongs to any visit, the table lacks a column, or the pattern takes over
    MATCHING_S; MissingInputError if the table cannot be read."""
    if group_by.kind == "csv":
        if not group_by.rows:
            group_by.rows.update(_table(group_by))
        visit_of = group_by.rows
        names: list[str] = [visit_of.get(_key(photo.path.relative_to(listing.root))) or "" for photo in listing.photos]
    elif group_by.kind == "folder":
        names = [_subfolder(listing.root, photo) for photo in listing.photos]
    else:
        with _bounded(group_by, listing):
            names = [_found(group_by, photo.path.name) for photo in listing.photos]
    if listing.photos and not any(names):
        example = readable_name(listing.photos[0].path.relative_to(listing.root))
        raise DatasetError(f"--group-by {group_by.text!r}: {_NOTHING[group_by.kind]} (a photo here: {example!r})")
    unmatched = sum(not name for name in names)
    groups = numbered(name or index for index, name in enumerate(names))
    return Visits(groups, len(set(names)) - bool(unmatched), unmatched)


_NOTHING = {
    "folder": "no photo lies in a sub-folder of its class folder: make one for each visit, or group by name",
    "name": "the pattern is found in no file name: fix it",
    "csv": "the table names none of the photos: its column 'file' must hold paths below the folder of photos",
}


def join_groups(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return int64 (photos,): photos share a number if they do in `one` or in `other`, both (photos,).

    The number of a group is the index of its first member."""
    _, starts, inverse = np.unique(other, return_index=True, return_inverse=True)
    return linked(numbered(one.tolist()), np.arange(len(one)), starts[inverse.reshape(-1)])


def _subfolder(root: Path, photo: Photo) -> str:
    inside = photo.path.relative_to(root).parts[1 if photo.split is None else 2 : -1]
    return "/".join(inside)


@contextmanager
def _bounded(group_by: GroupBy, listing: Listing) -> Iterator[None]:
    """Raise DatasetError in the block after MATCHING_S. Only the main thread is bounded, and Windows has no alarm."""
    # An alarm interrupts even a single match. Python runs signal handlers in the main thread only.
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(*_: object) -> None:
        raise DatasetError(
            f"--group-by {group_by.text!r}: matching {len(listing.photos)} file names takes over {MATCHING_S:g} s: "
            "simplify the pattern (no repeat inside a repeat)"
        )

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, MATCHING_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _found(group_by: GroupBy, name: str) -> str:
    assert group_by.pattern is not None
    match = group_by.pattern.search(name)
    if match is None:
        return ""
    return match.group(1 if group_by.pattern.groups else 0) or ""


def _key(path: Path | str) -> str:
    """Return one spelling for all that tables use: either slash, with or without ./, composed or split accents."""
    text = unicodedata.normalize("NFC", str(path).strip().replace("\\", "/"))
    return text.removeprefix("./")


def _table(group_by: GroupBy) -> dict[str, str]:
    """Read the table. Returns the visit of each file."""
    table = group_by.table
    assert table is not None
    where = f"--group-by {readable_name(table)}"
    try:
        rows = read_table(read_bounded(table, MOST_BYTES, pipe=True))
        for column in ("file", group_by.column):
            if column not in (rows.fieldnames or ()):
                known = ", ".join(map(repr, (rows.fieldnames or ())[:12])) or "none"
                raise DatasetError(f"{where}: no column {column!r}, there are {known}: name one of them")
        return _visits_of(rows, group_by.column, where)
    except FileNotFoundError as error:
        raise MissingInputError(f"{where}: no such file: check the name") from error
    except OSError as error:
        raise MissingInputError(f"{where}: cannot read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{where}: not a CSV file in UTF-8 ({error}): save it as one") from error


def _visits_of(rows: "csv.DictReader[str]", column: str, where: str) -> dict[str, str]:
    visit_of: dict[str, str] = {}
    for row in rows:
        key, visit = _key(row["file"] or ""), (row[column] or "").strip()
        if visit_of.setdefault(key, visit) != visit:
            raise DatasetError(f"{where}, line {rows.line_num}: {key!r} occurs twice, with two visits: keep one")
    return visit_of

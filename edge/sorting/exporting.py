"""Write what is named as class folders for `fieldfare train`: as links or copies, or as a ZIP file that is streamed."""

import io
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath

from edge.errors import MissingInputError, StorageError
from edge.exports.copying.names import Names, safe_name
from edge.exports.tables import csv_bytes
from edge.pictures.names import SUFFIXES, readable_name
from edge.portable.system import refuses_links
from edge.sorting.naming import TABLE
from edge.sorting.places import Files
from edge.sorting.records import Picture
from edge.sorting.session import Session
from edge.storage import new_directory

_HEAD = ("file", "class", "photo", "by", "when")
_LONGEST = 120
_PIECE = 1 << 18

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. gone: how many pictures are not there any more."""

    folder: Path
    pictures: int
    classes: int
    gone: int


class _Places:
    """Where each picture goes: CLASS/NAME, no two of which differ only by case."""

    def __init__(self) -> None:
        self._classes = Names()
        # By the place in lower case, the number that its next namesake tries first.
        self._next: dict[str, int] = {}

    def of(self, picture: Picture) -> str:
        """Return a place that no other picture has."""
        name = PurePath(os.fsdecode(picture.file)).name
        ending = PurePath(name).suffix
        ending = ending if ending.lower() in SUFFIXES else ""
        stem = f"{self._classes.of(picture.name)}/{safe_name(name.removesuffix(ending), _LONGEST)}"
        place = wanted = f"{stem}{ending}"
        while place.casefold() in self._next:
            number = self._next[wanted.casefold()]
            self._next[wanted.casefold()] = number + 1
            place = f"{stem}-{number}{ending}"
        self._next[place.casefold()] = 2
        return place


def next_folder(wanted: Path) -> Path:
    """Return the folder to export into: `wanted`, or the first with a number behind it that is not there yet."""
    number, place = 1, wanted
    while os.path.lexists(place):
        number += 1
        place = wanted.with_name(f"{wanted.name}-{number}")
    return place


def export(session: Session, files: Files, out: Path, *, copy: bool, advance: Advance) -> Exported:
    """Make the folder `out`, whole or not at all. copy: copy the files; else make links.

    Pictures that are gone are left out, and counted. Raises MissingInputError if nothing is left, StorageError,
    OutputExistsError.
    """
    classes: set[str] = set()
    rows: list[tuple[str, ...]] = []
    gone = 0
    with new_directory(out) as new:
        for picture, place, path in _chosen(session, files):
            if path is None:
                gone += 1
                continue
            target = new / place
            target.parent.mkdir(exist_ok=True)
            if copy:
                _copy(path, target)
            else:
                _link(path, target, out)
            classes.add(picture.name)
            rows.append(_row(picture, place))
            advance(len(rows))
        if not rows:
            raise MissingInputError(
                "nothing to export: " + ("the pictures are not there any more" if gone else "name some groups first")
            )
        (new / TABLE).write_bytes(csv_bytes([_HEAD, *rows]))
    return Exported(out, len(rows), len(classes), gone)


def zipped(session: Session, files: Files) -> Iterator[bytes]:
    """Yield the bytes of a ZIP file of the class folders. Pictures that are gone are left out."""
    out = _Pieces()
    rows: list[tuple[str, ...]] = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for picture, place, path in _chosen(session, files):
            if path is None:
                continue
            try:
                source = path.open("rb")
            except OSError:  # it went this moment
                continue
            with source, archive.open(_entry(place, path), "w") as target:
                while piece := source.read(_PIECE):
                    target.write(piece)
                    yield out.take()
            rows.append(_row(picture, place))
        archive.writestr(_entry(TABLE, None), csv_bytes([_HEAD, *rows]))
    yield out.take()


class _Pieces(io.RawIOBase):
    """Keeps what is written until it is taken; cannot go back."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override]  # any buffer, of which this is one
        self._waiting += data
        return len(data)

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken


def _chosen(session: Session, files: Files) -> Iterator[tuple[Picture, str, Path | None]]:
    """Yield each named picture, its place, and its file; None if it is gone."""
    places = _Places()
    for picture in session.named():
        try:
            yield picture, places.of(picture), files.path_of(picture.file)
        except MissingInputError:
            yield picture, "", None


def _entry(place: str, path: Path | None) -> zipfile.ZipInfo:
    try:
        moment = datetime.fromtimestamp(path.stat().st_mtime if path is not None else datetime.now().timestamp())
    except (OSError, ValueError, OverflowError):
        moment = datetime.now()
    moment = moment if 1980 <= moment.year < 2108 else datetime(1980, 1, 1)
    return zipfile.ZipInfo(place, moment.timetuple()[:6])


def _row(picture: Picture, place: str) -> tuple[str, ...]:
    when = datetime.fromtimestamp(picture.wall_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return place, picture.name, os.fsdecode(picture.file), picture.by, when


def _link(path: Path, target: Path, out: Path) -> None:
    try:
        target.symlink_to(path)
    except OSError as error:
        if refuses_links(error):
            raise StorageError(f"{readable_name(out)}: no links can be made there: choose copies") from error
        raise


def _copy(path: Path, target: Path) -> None:
    try:
        source = path.open("rb")
    except OSError as error:
        raise MissingInputError(f"{readable_name(path)}: cannot read: {error.strerror or error}") from error
    with source, target.open("xb") as written:
        shutil.copyfileobj(source, written, _PIECE)

"""Find what is to be sorted: a folder's photos, the groups of a table, the mistakes in a training's report."""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from edge.decoding import DecodingError, decode_json
from edge.errors import DataError, MissingInputError
from edge.photo_files import find_images
from edge.pictures.names import readable_name
from edge.sorting.records import Found
from edge.storage import read_bounded

_MOST_BYTES = 64 << 20
_MOST_GROUPS = 1_000_000
_MOST_HINT = 200


def photos_in(folder: Path) -> list[bytes]:
    """Return the photos under a folder, relative to it. Raises MissingInputError if there are none."""
    if not folder.is_dir():
        raise MissingInputError(f"{readable_name(folder)}: no such folder: give a folder of photos")
    found = [os.fsencode(path.relative_to(folder)) for path in find_images(folder)]
    if not found:
        raise MissingInputError(f"{readable_name(folder)}: no photos there (JPEG, PNG, BMP, WebP, TIFF)")
    return found


def grouped(files: Sequence[bytes], groups: Sequence[Sequence[int]]) -> Iterator[Found]:
    """Yield the photos of groups, which name them by their places in `files`."""
    for number, members in enumerate(groups, 1):
        for place in members:
            yield Found(files[place], files[place], number)


def of_table(table: Path, folder: Path) -> list[Found]:
    """Return the groups of the table that `fieldfare dataset group` writes, for photos in `folder`.

    Raises MissingInputError if it cannot be read or none of its photos is there, DataError if it is no such table."""
    shown = readable_name(table)
    rows = csv.DictReader(io.StringIO(_read(table).decode("utf-8-sig", "surrogateescape"), newline=""))
    found: list[Found] = []
    numbers: dict[str, int] = {}
    try:
        if not {"file", "group"} <= set(rows.fieldnames or ()):
            raise DataError(f"{shown}: no table of groups: its columns must hold file and group")
        for row in rows:
            file, group = row["file"] or "", row["group"] or ""
            number = numbers.setdefault(group, len(numbers) + 1)
            hint = (row.get("class") or "")[:_MOST_HINT].encode(errors="replace").decode()  # bytes that are no text
            if file and len(numbers) <= _MOST_GROUPS:
                found.append(_found(file, number, "", hint))
    except csv.Error as error:
        raise DataError(f"{shown}: line {rows.line_num}: no table: {error}") from error
    return _there(found, folder, shown)


class _Answer(msgspec.Struct):
    name: str
    truth: str | None
    answer: str


class _Answers(msgspec.Struct):
    worst: list[_Answer] = []
    unsure: list[_Answer] = []


class _Report(msgspec.Struct):
    test: _Answers
    validation: _Answers | None = None


def of_report(report: Path, folder: Path) -> list[Found]:
    """Return the mistakes that a training's report shows, and what it was unsure of, for its photos in `folder`.

    report: NAME-report.json, or the folder that holds the only one. Raises MissingInputError if it cannot be read or
    none of its photos is there, DataError if it is no report."""
    path = _report_in(report) if report.is_dir() else report
    shown = readable_name(path)
    try:
        read = decode_json(_read(path), _Report)
    except DecodingError as error:
        raise DataError(f"{shown}: no report of a training (NAME-report.json): {error}") from error
    found: dict[str, Found] = {}
    numbers: dict[str, int] = {}
    for answers in (read.test, read.validation):
        for answer in (*answers.worst, *answers.unsure) if answers is not None else ():
            truth = (answer.truth or "")[:_MOST_HINT]
            title = f"{truth} / {answer.answer[:_MOST_HINT]}"
            number = numbers.setdefault(title, len(numbers) + 1)
            found.setdefault(answer.name, _found(answer.name, number, title, truth))
    return _there(sorted(found.values(), key=lambda one: one.group), folder, shown)


def _report_in(folder: Path) -> Path:
    found = sorted(folder.glob("*report.json"))
    if len(found) != 1:
        raise MissingInputError(f"{readable_name(folder)}: {len(found)} reports there (*report.json): name the file")
    return found[0]


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, _MOST_BYTES)
    except OSError as error:
        raise MissingInputError(f"{readable_name(path)}: cannot read: {error.strerror or error}") from error


def _found(file: str, group: int, title: str, hint: str) -> Found:
    name = os.fsencode(file)
    return Found(name, name, group, title, hint)


def _there(found: list[Found], folder: Path, table: str) -> list[Found]:
    """Return those whose files are in the folder, by plain names below it. Raises MissingInputError if none is."""
    there = [one for one in found if _is_below(os.fsdecode(one.file)) and (folder / os.fsdecode(one.file)).is_file()]
    if not there:
        raise MissingInputError(
            f"{readable_name(folder)}: none of the {len(found)} photos that {table} names is there: give the folder of "
            "photos that it was made from"
        )
    return there


def _is_below(file: str) -> bool:
    path = Path(file)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in file

"""Read what labels stand for, from a small CSV: the kind of thing, the scientific name, the names that people use."""

import csv
import difflib
import errno
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast, get_args

import msgspec

from edge.bundle.labels import JOINERS, MAX_LABEL_BYTES
from edge.bundle.store import Bundle
from edge.errors import DataError, MissingInputError
from edge.storage import read_bounded

Kind = Literal["animal", "human", "vehicle", "blank", "plant", "object", "other"]
# As in Camtrap DP 1.0.2, taxonomic.taxonRank.
Rank = Literal["kingdom", "phylum", "class", "order", "family", "genus", "species", "subspecies"]

# The most labels that a model may have, in 80 bytes each.
MAX_BYTES = 8 * 1024 * 1024
MAX_ROWS = 100_000
_MAX_COLUMNS = 40
_MAX_FIELD_BYTES = MAX_LABEL_BYTES
_KINDS, _RANKS = get_args(Kind), get_args(Rank)
_REQUIRED = ("label", "scientific_name", "kind")
_OPTIONAL = "taxon_rank"
_LANGUAGE = re.compile(r"[a-z]{3}\Z")
_MOST_NAMED = 5
_EXAMPLE = "label,scientific_name,kind,eng"


class Taxon(msgspec.Struct, frozen=True, kw_only=True):
    """What a label stands for.

    scientific_name, taxon_rank: None if the file leaves them empty.
    common_names: by language, three letters of ISO 639-3 such as "eng".
    """

    label: str
    kind: Kind
    scientific_name: str | None = None
    taxon_rank: Rank | None = None
    common_names: Mapping[str, str] = msgspec.field(default_factory=dict)


class Taxonomy:
    """All taxa of a file, by label."""

    def __init__(self, taxa: Sequence[Taxon]) -> None:
        self.taxa = tuple(taxa)
        self._by_label = {taxon.label: taxon for taxon in self.taxa}

    def of(self, label: str) -> Taxon | None:
        """Return what a label stands for; None if the file does not have it."""
        return self._by_label.get(label)

    def differences(self, labels: Sequence[str]) -> list[str]:
        """Return a line on the labels that a model has and the file has not, and one the other way round, if any."""
        known = set(labels)
        strange = [label for label in self._by_label if label not in known]
        lacking = [label for label in labels if label not in self._by_label]
        lines = []
        if strange:
            near = difflib.get_close_matches(strange[0], labels, n=1)
            lines.append(f"no class is called {_named(strange)}{f': is {near[0]!r} meant?' if near else ''}")
        if lacking:
            lines.append(f"no line for {_named(lacking)}: what they are stays unknown")
        return lines


def load_taxonomy(file: str | None, bundle: Bundle | None) -> Taxonomy | None:
    """Return the taxonomy of the settings' `file` (device.taxonomy), else the bundle's, else None.

    Raises MissingInputError or DataError.
    """
    if file is not None:
        return read_taxonomy(read_file(Path(file)), file)
    if bundle is None or bundle.taxonomy is None:
        return None
    return read_taxonomy(bundle.taxonomy, f"bundle {bundle.path}: {bundle.manifest.taxonomy}")


def read_file(path: Path) -> bytes:
    """Return the bytes of a file for `read_taxonomy`. Raises MissingInputError, or DataError if it is too large."""
    try:
        return read_bounded(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.EFBIG:
            raise DataError(f"{path}: larger than {MAX_BYTES} bytes: not a taxonomy") from error
        raise MissingInputError(f"taxonomy {path}: cannot read: {getattr(error, 'strerror', None) or error}") from error


def read_taxonomy(data: bytes, where: str) -> Taxonomy:
    """Read the bytes of a CSV in UTF-8 with a header: label, scientific_name, kind, taxon_rank if there are ranks, and
    a column of common names for each language. where: names the file in messages.

    Raises DataError with the number of the line.
    """
    if len(data) > MAX_BYTES:
        raise DataError(f"{where}: {len(data)} bytes, at most {MAX_BYTES}: not a taxonomy")
    try:
        return Taxonomy(list(_taxa(_rows(data))))
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


Row = tuple[int, list[str]]


def _rows(data: bytes) -> Iterator[Row]:
    """Yield the rows with the number of their line, without empty ones. All cells are printable and of fair length."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"line {line} is not UTF-8 text: save the file as CSV in UTF-8") from error
    # Some spreadsheets write semicolons or tabs, by the language of the system.
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            row = [_checked(cell.strip(), reader.line_num) for cell in cells]
            if any(row):
                yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"line {reader.line_num}: not CSV: {error}") from error


def _checked(cell: str, line: int) -> str:
    if (size := len(cell.encode())) > _MAX_FIELD_BYTES:
        raise DataError(f"line {line}: a field of {size} bytes, at most {_MAX_FIELD_BYTES}: shorten it")
    if bad := next((c for c in cell if not c.isprintable() and c not in JOINERS), None):
        raise DataError(f"line {line}: holds U+{ord(bad):04X}, unprintable: remove it")
    return cell


def _taxa(rows: Iterator[Row]) -> Iterator[Taxon]:
    line, header = next(rows, (1, []))
    _check_header(line, header)
    lines: dict[str, int] = {}
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(f"line {line} has {len(row)} fields, the header {len(header)}: quote fields with commas")
        taxon = _taxon(line, dict(zip(header, row, strict=True)))
        if taxon.label in lines:
            raise DataError(f"line {line}: label {taxon.label!r} is on line {lines[taxon.label]}, too: remove one")
        if len(lines) == MAX_ROWS:
            raise DataError(f"line {line}: more than {MAX_ROWS} labels: not a taxonomy")
        lines[taxon.label] = line
        yield taxon


def _check_header(line: int, header: Sequence[str]) -> None:
    for name in _REQUIRED:
        if name not in header:
            raise DataError(f"line {line}: no column {name!r}: begin with a line such as {_EXAMPLE}")
    if len(header) > _MAX_COLUMNS:
        raise DataError(f"line {line}: {len(header)} columns, at most {_MAX_COLUMNS}")
    for number, name in enumerate(header):
        if name in header[:number]:
            raise DataError(f"line {line}: column {name!r} is there twice: remove one")
        if name not in (*_REQUIRED, _OPTIONAL) and not _LANGUAGE.match(name):
            fix = "must be taxon_rank, or a language as three letters of ISO 639-3, such as eng or fra"
            raise DataError(f"line {line}: column {_short(name)}: {fix}")


def _taxon(line: int, cells: dict[str, str]) -> Taxon:
    if not cells["label"]:
        raise DataError(f"line {line}: no label: fill it in, or remove the line")
    kind, rank = cells["kind"], cells.get(_OPTIONAL) or None
    if kind not in _KINDS:
        raise DataError(f"line {line}: kind {_short(kind)}: must be {_choice(_KINDS)}")
    if rank is not None and rank not in _RANKS:
        raise DataError(f"line {line}: taxon_rank {_short(rank)}: must be {_choice(_RANKS)}, or empty")
    return Taxon(
        label=cells["label"],
        kind=cast("Kind", kind),
        scientific_name=cells["scientific_name"] or None,
        taxon_rank=cast("Rank | None", rank),
        common_names={name: cell for name, cell in cells.items() if cell and _LANGUAGE.match(name)},
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def _choice(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _named(labels: Sequence[str]) -> str:
    shown = ", ".join(map(repr, labels[:_MOST_NAMED]))
    return shown if len(labels) <= _MOST_NAMED else f"{shown} and {len(labels) - _MOST_NAMED} more"

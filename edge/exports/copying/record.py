"""The record that makes a folder an export of ours, and who may write into a folder."""

from pathlib import Path
from typing import Literal

import msgspec

from edge import __version__
from edge.decoding import DecodingError, decode_json
from edge.errors import OutputExistsError, StorageError
from edge.exports.copying.disk import PARTIAL
from edge.exports.copying.output_file import OutputFile
from edge.storage import read_bounded

MANIFEST = "manifest-sha256.txt"
# It changes last, so it is not in the manifest.
RECORD = "fieldfare-export.json"
# What waits to be noted takes two bytes for each event at most, if every second one was exported: 8 million events.
_MOST_RECORD = 1 << 24
# Only in these folders, and under these names beside them, is anything ever removed.
FOLDERS = frozenset({"media", "classes", "unsure", "harvest"})
FILES = frozenset(
    {
        *("events.csv", "events.jsonl", "events.parquet", "megadetector.json", "pictures.csv"),
        *("datapackage.json", "deployments.csv", "media.csv", "observations.csv"),
        *("fieldfare-scores.csv", "other-observations.csv"),
    }
)

Format = Literal["camtrap-dp", "csv", "jsonl", "parquet", "folders", "megadetector"]


class Unnoted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Numbers of what was exported, as NumberSet.words has them."""

    events: str = ""
    samples: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What an export is of.

    store: the id of the store. complete: it came to its end.
    unnoted: what the store has to note and has not noted yet; None: nothing.
    """

    format: Format
    store: str
    complete: bool
    written_wall_s: float
    written_by: str = f"Fieldfare {__version__}"
    unnoted: Unnoted | None = None


def make_folder(folder: Path) -> None:
    """Make the folder, but no folder above it. Raises StorageError or OSError."""
    # If the stick is not plugged in, /media/stick is not there; making it would fill the card instead.
    if not folder.parent.is_dir():
        raise StorageError(f"cannot write {folder}: {folder.parent} is not there: is the stick mounted?")
    folder.mkdir(exist_ok=True)


def check_free(folder: Path, form: Format, store: str, *, overwrite: bool, resume: bool) -> bool:
    """Return whether an earlier export is there that the options allow to go on with or to replace.

    Raises OutputExistsError if anything else is there, OSError if the folder cannot be read.
    """
    names = {entry.name for entry in folder.iterdir()}
    # The record comes first: a kill right at the begin leaves but the beginning of that.
    if not names - {f"{RECORD}{PARTIAL}"}:
        return False
    found = _read(folder)
    if found is None:
        raise OutputExistsError(
            f"{folder} is not empty, and no export of ours: give a folder of its own, such as {folder / 'fieldfare'}"
        )
    if overwrite:
        return True
    if found.complete:
        raise OutputExistsError(f"{folder} holds an export: choose another name or add --overwrite")
    if not resume:
        raise OutputExistsError(f"{folder} holds an export that was interrupted: go on with --resume")
    if (found.format, found.store) != (form, store):
        raise OutputExistsError(
            f"{folder} holds an interrupted export to {found.format}"
            f"{'' if found.store == store else ' of another store'}: choose another name or add --overwrite"
        )
    return True


def finished(folder: Path, form: Format, store: str) -> Record | None:
    """Return the record of a whole export of this store to this format; None if there is none."""
    found = _read(folder)
    if found is None or not found.complete or (found.format, found.store) != (form, store):
        return None
    return found


def write_record(folder: Path, record: Record) -> None:
    """Replace the record. Raises OSError, StorageError."""
    output = OutputFile(folder / RECORD)
    try:
        output.write(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
        output.seal()
    finally:
        output.discard()


def _read(folder: Path) -> Record | None:
    try:
        return decode_json(read_bounded(folder / RECORD, _MOST_RECORD, follow=False), Record)
    except (OSError, DecodingError):
        return None


def is_ours(inside: Path, name: str) -> bool:
    """Return whether a file in an export may be removed. inside: its folder, relative to the export's."""
    plain = name.removesuffix(PARTIAL)
    return plain.endswith(".jpg") if inside.parts else plain in FILES

"""Copy pictures to a target in batches: written under other names, synced, read back, then named."""

import contextlib
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.exports.copying.disk import CHUNK, PARTIAL, create, hash_from_disk, open_plain, write_all
from edge.exports.copying.output_file import differs
from edge.exports.copying.target import Target

# missing: not there any more, as its budget was spent. damaged: not what was once written.
CopyOutcome = Literal["there", "missing", "damaged"]


@dataclass(frozen=True, slots=True)
class Copy:
    """A picture to copy. name: in the target, with its folders, joined by slashes. sha256: what it must have."""

    source: Path
    name: str
    sha256: str


def copy_pictures(target: Target, copies: Sequence[Copy]) -> list[CopyOutcome]:
    """Copy them, and return what became of each, in their order. Those that are "there" are whole on the disk.

    Raises StorageError if the target cannot be written or does not return what was written to it.
    """
    written: list[Copy] = []
    with target.writing(target.folder):
        target.check_there()
    try:
        outcomes = [_write(target, copy, written) for copy in copies]
        _name(target, written)
    finally:
        for copy in written:
            with contextlib.suppress(OSError):
                _partial(target, copy).unlink(missing_ok=True)
    for copy, outcome in zip(copies, outcomes, strict=True):
        if outcome == "there":
            target.enter(copy.name, copy.sha256)
    return outcomes


def _partial(target: Target, copy: Copy) -> Path:
    return target.folder / f"{copy.name}{PARTIAL}"


def _write(target: Target, copy: Copy, written: list[Copy]) -> CopyOutcome:
    """Write it under its other name, unless it is there already. What is written is added to `written` at once."""
    path = target.folder / copy.name
    if target.again and _is_there(path, copy.sha256):
        return "there"
    try:
        source = open_plain(copy.source)
    except OSError:
        return "missing"
    try:
        with target.writing(path):
            target.make_place(copy.name)
            handle = create(_partial(target, copy))
        written.append(copy)
        try:
            found = _pour(source, handle, target, path)
        finally:
            os.close(handle)
    finally:
        os.close(source)
    if found == copy.sha256:
        return "there"
    written.remove(copy)
    with target.writing(path):
        _partial(target, copy).unlink()
    return "damaged"


def _pour(source: int, handle: int, target: Target, path: Path) -> str | None:
    """Copy all bytes and return their SHA-256; None if the source cannot be read to its end."""
    found = hashlib.sha256()
    while True:
        try:
            piece = os.read(source, CHUNK)
        except OSError:  # a worn card: the other pictures may be whole
            return None
        if not piece:
            return found.hexdigest()
        found.update(piece)
        with target.writing(path):
            write_all(handle, piece)


def _is_there(path: Path, sha256: str) -> bool:
    try:
        return hash_from_disk(path) == sha256
    except OSError:
        return False


def _name(target: Target, written: list[Copy]) -> None:
    """Give the written ones their names, if the disk holds them as they were."""
    if not written:
        return
    with target.writing(target.folder):
        target.sync()
        for copy in written:
            path = target.folder / copy.name
            if hash_from_disk(_partial(target, copy)) != copy.sha256:
                raise differs(path)
        target.check_there()
        for copy in written:
            _partial(target, copy).replace(target.folder / copy.name)
        written.clear()

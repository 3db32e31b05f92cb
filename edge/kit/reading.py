"""Look into a kit, as a tar or as a folder, and check every byte. Nothing in it is believed before it is checked."""

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from edge.errors import DataError, MissingInputError
from edge.installing.origins.kit import MAX_BYTES, MOST_FILES
from edge.kit.listing import (
    LISTING,
    SUMS,
    Kit,
    KitFile,
    decode_listing,
    kit_id,
    listed,
    parse_sums,
)
from edge.kit.writing import FOLDER
from edge.photo_files import is_nobodys

_PIECE = 1 << 20


def open_kit(path: Path) -> tuple[Kit, int]:
    """Return what a kit holds, and the bytes of all its files, after each was compared with both lists of hashes.

    path: a tar, a kit's folder, or a folder that holds one, as `fieldfare kit build --out` was given.
    Raises MissingInputError, or DataError for what is damaged, incomplete, changed or no kit.
    """
    if path.exists() and not (path.is_dir() or path.is_file()):  # a pipe without a writer would wait for ever
        raise MissingInputError(f"kit {path}: cannot read: neither a folder nor a plain file")
    held = path / FOLDER
    folder = held if (held / LISTING).is_file() else path
    try:
        files, texts = _scan(_in_folder(folder) if path.is_dir() else _in_tar(path))
    except DataError as error:
        raise DataError(f"kit {path}: {error}") from error
    except (tarfile.TarError, EOFError, RecursionError) as error:
        raise DataError(f"kit {path}: no kit, or copied in part") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MissingInputError(f"kit {path}: cannot read: {reason}") from error
    try:
        return _checked(files, texts), sum(file.size for file in files.values())
    except DataError as error:
        raise DataError(f"kit {path}: {error}") from error


def _scan(entries: Iterator[tuple[str, IO[bytes]]]) -> tuple[dict[str, KitFile], dict[str, bytes]]:
    """Return size and hash of every file, and the bytes of the two lists."""
    files: dict[str, KitFile] = {}
    texts: dict[str, bytes] = {}
    for name, file in entries:
        if len(files) == MOST_FILES:
            raise DataError(f"more than {MOST_FILES} files: no kit")
        digest, size = hashlib.sha256(), 0
        kept = bytearray() if name in (LISTING, SUMS) else None
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
            if kept is not None:
                kept += piece
                if size > MAX_BYTES:
                    raise DataError(f"{name} has more than {MAX_BYTES} bytes: no kit")
        files[name] = KitFile(size, digest.hexdigest())
        if kept is not None:
            texts[name] = bytes(kept)
    return files, texts


def _in_tar(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) else None
            if content is None or not member.name.startswith(f"{FOLDER}/"):
                raise DataError(f"{member.name[:100]!a} is no file of a kit")
            yield member.name.removeprefix(f"{FOLDER}/"), content


def _in_folder(folder: Path) -> Iterator[tuple[str, IO[bytes]]]:
    for path in folder.rglob("*"):
        if is_nobodys(path.name):  # what a desktop leaves on a stick that it opens
            continue
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise DataError(f"{path.name[:100]!a} is no plain file")
        if path.is_file():
            with path.open("rb") as file:
                yield path.relative_to(folder).as_posix(), file


def _checked(files: dict[str, KitFile], texts: dict[str, bytes]) -> Kit:
    for name in (LISTING, SUMS):
        if name not in texts:
            raise DataError(f"{name} is missing: no kit, or copied in part")
    sums = parse_sums(texts[SUMS])
    there = {name: file.sha256 for name, file in files.items() if name != SUMS}
    if missing := sorted(set(sums) - set(there)):
        raise DataError(f"{missing[0]!a} is missing: copy the kit again")
    if extra := sorted(set(there) - set(sums)):
        raise DataError(f"{extra[0]!a} is no part of it: remove it")
    if damaged := sorted(name for name in sums if sums[name] != there[name]):
        raise DataError(f"{damaged[0]!a} is damaged (SHA-256 differs): copy the kit again")
    kit = decode_listing(texts[LISTING])
    if kit.files != listed(files) or kit.id != kit_id(kit.files):
        raise DataError(f"{LISTING} and {SUMS} differ: changed by hand; make the kit again")
    return kit

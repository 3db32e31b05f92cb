"""Seal files and a manifest into a bundle and put it on disk, whole or not at all."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path, PurePath

import msgspec

from edge.bundle import manifest as manifests
from edge.bundle.files import PACK_COMMENT_SIZE, PACK_MARK
from edge.bundle.manifest import FileEntry, Manifest
from edge.bundle.place import MANIFEST, MANIFEST_HASH, bundle_around
from edge.bundle.store import PACK_SUFFIX, Bundle, check_contents, manifest_hash_line, pack_bytes
from edge.errors import OutputExistsError, StorageError
from edge.storage import check_place, write_directory, write_file


def seal(path: Path, manifest: Manifest, files: Mapping[str, bytes]) -> Bundle:
    """Make the bundle of `manifest`, whose `files` are filled in here, and `files`; checked as on opening.

    path: the place that `save` will write it to. Raises BundleError.
    """
    entries = tuple(
        FileEntry(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
        for name, data in sorted(files.items())
    )
    data = manifests.encode(msgspec.structs.replace(manifest, files=entries))
    digest = hashlib.sha256(data).hexdigest()
    contents = {**files, MANIFEST: data, MANIFEST_HASH: manifest_hash_line(digest)}
    return check_contents(path, contents)


def check_outside(path: Path, *, option: str = "--out") -> None:
    """Raise OutputExistsError if `path` would lie in a bundle: one file more damages it."""
    folder = bundle_around(PurePath(os.path.realpath(path)).parent)
    if folder is not None:
        raise OutputExistsError(f"{option} {path} lies in the bundle {folder}: choose a place outside")


def check_target(path: Path, *, overwrite: bool) -> Path:
    """Return `path`, resolved, if a bundle can be written there: it is free, or holds a bundle and overwrite is set.

    Call it before any work. Raises OutputExistsError or StorageError.
    """
    check_outside(path)
    try:
        path = path.resolve()
        exists = path.exists()
    except (OSError, RuntimeError) as error:
        raise StorageError(f"{path}: cannot be used: {getattr(error, 'strerror', None) or error}") from error
    if exists and not overwrite:
        raise OutputExistsError(f"{path} exists: choose another name or add --overwrite")
    if exists and not _holds_bundle(path):
        raise OutputExistsError(f"{path} is not a bundle, so --overwrite leaves it alone: choose another name")
    check_place(path)
    return path


def _holds_bundle(path: Path) -> bool:
    if path.is_dir():
        entries = {entry.name for entry in path.iterdir() if entry.is_file()}
        return {MANIFEST, MANIFEST_HASH} <= entries and len(entries) == len(list(path.iterdir()))
    if not path.is_file():
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - PACK_COMMENT_SIZE))
        return file.read().startswith(PACK_MARK)


def save(bundle: Bundle, *, overwrite: bool = False) -> None:
    """Write the bundle to its path: packed in one file if that ends in .fieldfare, else a directory.

    Raises OutputExistsError or StorageError; never leaves half a bundle.
    """
    check_target(bundle.path, overwrite=overwrite)
    if bundle.path.suffix == PACK_SUFFIX:
        write_file(bundle.path, pack_bytes(bundle), overwrite=overwrite)
    else:
        write_directory(bundle.path, bundle.contents, overwrite=overwrite)

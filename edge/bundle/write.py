"""Seal files and a manifest into a bundle and put it on disk, whole or not at all."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from edge.bundle import manifest as manifests
from edge.bundle.manifest import FileEntry, Manifest
from edge.bundle.store import (
    MANIFEST,
    MANIFEST_HASH,
    PACK_SUFFIX,
    Bundle,
    check_contents,
    manifest_hash_line,
    pack_bytes,
)
from edge.storage import write_directory, write_file


def seal(path: Path, manifest: Manifest, files: Mapping[str, bytes]) -> Bundle:
    """The bundle of `manifest` (whose `files` are filled in here) and `files`, checked as on opening.
    `path` is where it will live. Raises BundleError."""
    entries = tuple(
        FileEntry(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
        for name, data in sorted(files.items())
    )
    data = manifests.encode(msgspec.structs.replace(manifest, files=entries))
    digest = hashlib.sha256(data).hexdigest()
    contents = {**files, MANIFEST: data, MANIFEST_HASH: manifest_hash_line(digest)}
    return check_contents(path, contents)


def save(bundle: Bundle, *, overwrite: bool = False) -> None:
    """Write the bundle to its path: packed in one file where that ends in .fieldfare, else a directory.
    Raises OutputExistsError or StorageError; never leaves half a bundle."""
    if bundle.path.suffix == PACK_SUFFIX:
        write_file(bundle.path, pack_bytes(bundle), overwrite=overwrite)
    else:
        write_directory(bundle.path, bundle.contents, overwrite=overwrite)

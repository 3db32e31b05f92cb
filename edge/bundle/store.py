"""Open a bundle, as a directory or packed in one file, and check every byte before anything parses it.

Order: the manifest's own hash, the manifest, the set of files, sizes, SHA-256 of each. Only then may a runtime see the
model.
"""

import hashlib
import io
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path

from edge.bundle import manifest as manifests
from edge.bundle.files import PACK_COMMENT_SIZE, PACK_MARK, read_files
from edge.bundle.labels import parse_labels
from edge.bundle.manifest import Manifest
from edge.bundle.place import MANIFEST, MANIFEST_HASH
from edge.errors import BundleError, MissingInputError

PACK_SUFFIX = ".fieldfare"
# The custom operator that the compiler puts in place of what it maps. Its bytes are looked for, not parsed: a
# bundle that users have keeps opening, whatever edge/edgetpu/twin.py, which parses it, refuses.
EDGETPU_OPERATOR = b"edgetpu-custom-op"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose every byte matched its hashes when it was opened.

    - bundle_id: the first 12 hex digits of the manifest's SHA-256, which covers all other files' hashes.
    - labels: one for each output of the model, in its order.
    - contents: all files by name, manifest.json and manifest.sha256 included.
    """

    path: Path
    manifest: Manifest
    bundle_id: str
    labels: tuple[str, ...]
    # Read once and kept in memory, so that what was checked is what is used.
    contents: dict[str, bytes]

    @property
    def model(self) -> bytes:
        """The int8 model for the CPU."""
        return self.contents[self.manifest.model]

    @property
    def edgetpu_model(self) -> bytes | None:
        """The model compiled for the Edge TPU; None if the bundle has none."""
        return None if self.manifest.edgetpu is None else self.contents[self.manifest.edgetpu.model]

    @property
    def taxonomy(self) -> bytes | None:
        """The CSV of what the labels stand for; None if the bundle has none."""
        return None if self.manifest.taxonomy is None else self.contents[self.manifest.taxonomy]

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The threshold of each label."""
        calibration = self.manifest.calibration
        return calibration.thresholds or (calibration.threshold,) * len(self.labels)

    @property
    def size(self) -> int:
        """The size of all files together, in bytes."""
        return sum(map(len, self.contents.values()))


def open_bundle(path: Path | str) -> Bundle:
    """Read and verify the bundle at `path`.

    Raises MissingInputError (nothing there, unreadable) or BundleError (damaged, incomplete, not a bundle).
    """
    path = Path(path)
    try:
        contents = read_files(path)
    except BundleError as error:
        raise BundleError(f"bundle {path}: {error}") from error
    except FileNotFoundError as error:
        raise MissingInputError(f"bundle {path}: {error.strerror or error}: no bundle there") from error
    except OSError as error:
        raise MissingInputError(f"bundle {path}: cannot read: {error.strerror or error}") from error
    except ValueError as error:  # a zero byte in the path
        raise MissingInputError(f"bundle {str(path)!a}: {error}: no bundle there") from error
    if not contents:  # such as the mount point of a stick that is not plugged in
        raise MissingInputError(f"bundle {path}: an empty folder: no bundle there")
    try:
        return check_contents(path, contents)
    except BundleError as error:
        raise BundleError(f"bundle {path}: {error}") from error


def check_contents(path: Path, contents: dict[str, bytes]) -> Bundle:
    """Verify files in memory against the manifest among them. Raises BundleError."""
    for name in (MANIFEST, MANIFEST_HASH):
        if name not in contents:
            raise BundleError(f"{name} is missing: not a Fieldfare bundle, or copied in part")
    digest = hashlib.sha256(contents[MANIFEST]).hexdigest()
    if contents[MANIFEST_HASH] != manifest_hash_line(digest):
        raise BundleError(f"{MANIFEST} does not match {MANIFEST_HASH}: damaged; copy the bundle again")
    manifest = manifests.decode(contents[MANIFEST])
    _check_files(manifest, contents)
    labels = parse_labels(contents[manifest.labels])
    _check_twins(manifest, contents)
    if len(labels) != manifest.output.classes:
        raise BundleError(f"{manifest.labels} has {len(labels)} labels, the model {manifest.output.classes} outputs")
    return Bundle(path, manifest, digest[:12], labels, contents)


def manifest_hash_line(digest: str) -> bytes:
    """Return the content of manifest.sha256, in the form that `sha256sum -c` reads."""
    return f"{digest}  {MANIFEST}\n".encode()


def pack_bytes(bundle: Bundle) -> bytes:
    """Pack a bundle into the bytes of one file: the same bytes for the same bundle, on every machine."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(bundle.contents):
            # ZipInfo would note the system and the time of packing. 1980 is the earliest date that a ZIP can hold.
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, bundle.contents[name])
        archive.comment = PACK_MARK + b"0" * 64
    body = buffer.getvalue()[:-PACK_COMMENT_SIZE]
    return body + PACK_MARK + hashlib.sha256(body).hexdigest().encode()


def _check_files(manifest: Manifest, contents: dict[str, bytes]) -> None:
    listed = {entry.name for entry in manifest.files}
    present = set(contents) - {MANIFEST, MANIFEST_HASH}
    if missing := sorted(listed - present):
        raise BundleError(f"missing file {missing[0]!a}: copy the bundle again")
    if extra := sorted(present - listed):
        raise BundleError(f"extra file {extra[0]!a} that the manifest does not list: remove it")
    for entry in manifest.files:
        data = contents[entry.name]
        if len(data) != entry.size:
            raise BundleError(f"{entry.name} has {len(data)} bytes, must have {entry.size}: copy the bundle again")
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise BundleError(f"{entry.name} is damaged (SHA-256 differs): copy the bundle again")


def is_compiled(model: bytes) -> bool:
    """Return whether this .tflite was compiled for the Edge TPU: a CPU cannot run it then."""
    return EDGETPU_OPERATOR in model


def _check_twins(manifest: Manifest, contents: dict[str, bytes]) -> None:
    if is_compiled(contents[manifest.model]):
        raise BundleError(
            f"{manifest.model} is compiled for the Edge TPU, and its CPU twin is missing: make the bundle of the "
            "uncompiled model, then `fieldfare bundle add-edgetpu`"
        )
    if manifest.edgetpu is not None and not is_compiled(contents[manifest.edgetpu.model]):
        raise BundleError(f"{manifest.edgetpu.model} is not compiled for the Edge TPU: make the bundle again")

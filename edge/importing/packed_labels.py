"""Find the labels that are packed into a .tflite: a ZIP appended to it, whose files the metadata explains."""

import io
import re
import zipfile
from collections.abc import Sequence

from edge.bundle.labels import MAX_LABELS_BYTES
from edge.errors import ModelError
from edge.images import readable_name
from edge.importing.metadata import LabelFile

# One or two label files, their translations in some 100 languages, a vocabulary. zipfile makes an object of each entry
# that it finds, 400 bytes or more, and each begins with this mark.
_MAX_FILES = 1000
_ENTRY_MARK = b"PK\x01\x02"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may take gigabytes to unpack one byte
_ENCRYPTED = 1
_ENGLISH = ("en", "eng")
_FIX = "give a labels file with --labels"


def packed_labels(model: bytes, label_files: Sequence[LabelFile]) -> tuple[str, bytes] | None:
    """Return the name and content of the labels file that is packed into `model`; None if there is none.

    label_files: what the metadata names as labels of the output. If it names none, a single .txt file is taken.
    Raises ModelError if what the metadata names is missing or damaged, or if there is more than one.
    """
    if model.count(_ENTRY_MARK) > _MAX_FILES:
        raise ModelError(f"more than {_MAX_FILES} files are packed into it: {_FIX}")
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            name = _chosen(archive.namelist(), label_files)
            return None if name is None else (name, _content(archive, name))
    except ModelError:
        raise
    except Exception as error:  # zipfile raises anything on damaged bytes
        # Most models have no ZIP behind them.
        if not label_files:
            return None
        detail = " ".join(str(error).split())
        raise ModelError(f"the files packed into it are damaged ({readable_name(detail)}): {_FIX}") from error


def _chosen(names: Sequence[str], label_files: Sequence[LabelFile]) -> str | None:
    if not label_files:
        texts = [name for name in names if name.lower().endswith(".txt")]
        if len(texts) > 1:
            raise ModelError(
                f"{len(texts)} text files are packed into it, and its metadata does not show which holds the labels: "
                f"{_FIX}"
            )
        return texts[0] if texts else None
    # Files with a locale hold names to show; that without one holds the classes' own.
    own = [file for file in label_files if not _language(file)]
    english = [file for file in label_files if _language(file) in _ENGLISH]
    plain = [file for file in english if file.locale.strip().casefold() in _ENGLISH]
    wanted = own or plain or english or label_files
    if len({file.name for file in wanted}) > 1:
        listed = ", ".join(readable_name(file.locale or file.name) for file in wanted[:5])
        raise ModelError(f"its metadata names {len(wanted)} label files for the output ({listed}): {_FIX}")
    name = wanted[0].name
    if names.count(name) != 1:
        raise ModelError(
            f"its metadata names {readable_name(name)!r} as labels, which is packed into it {names.count(name)} times, "
            f"must be once: {_FIX}"
        )
    return name


def _language(file: LabelFile) -> str:
    """Return the language of a file's locale: "en" of en, EN_us, en-GB and en.UTF-8; "" if it has none."""
    return re.split(r"[-_.@]", file.locale.strip(), maxsplit=1)[0].casefold()


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    entry = archive.getinfo(name)
    shown = readable_name(name)
    if entry.file_size > MAX_LABELS_BYTES:
        raise ModelError(f"{shown}, packed into it, has {entry.file_size} bytes, at most {MAX_LABELS_BYTES}: {_FIX}")
    if entry.compress_type not in _METHODS or entry.flag_bits & _ENCRYPTED:
        raise ModelError(f"{shown}, packed into it, is encrypted or in an unusual compression: {_FIX}")
    try:
        # Not archive.read, which unpacks all that there is before it looks at the size: a directory may lie about that.
        with archive.open(entry) as file:
            return file.read(max(1, entry.file_size))
    except Exception as error:
        detail = readable_name(" ".join(str(error).split()))
        raise ModelError(f"{shown}, packed into it, is damaged ({detail}): {_FIX}") from error

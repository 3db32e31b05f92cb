"""Read the files of a bundle, from a directory or packed in one file, within limits that hold before memory is taken.

Nothing here is believed: a place may hold a device, a FIFO, a file that grows, a directory of a million names, or a
ZIP whose sizes are lies.
"""

import hashlib
import io
import os
import stat
import struct
import zipfile
from pathlib import Path

from edge.errors import BundleError
from edge.portable.system import open_flags

# The packed form is a ZIP without compression, which any unzip program opens. Its end comment is this mark and the
# SHA-256 of all bytes before it, so a flipped byte is found before the ZIP is parsed.
PACK_MARK = b"fieldfare-sha256:"
PACK_COMMENT_SIZE = len(PACK_MARK) + 64
# A MobileNet bundle has 1-12 MB; the cap keeps a wrong path from filling a Pi's memory.
MAX_BUNDLE_BYTES = 256 * 1024 * 1024
MAX_FILES = 64
MAX_NAME = 100
_MAX_MESSAGE = 300
# zipfile makes an object of each entry, and trusts the sizes in the end record: a directory of 250 MB became 2.4 GB
# and took 55 s. Ours needs 46 bytes and the name for a file.
MAX_DIRECTORY_BYTES = MAX_FILES * 512
# The end record: signature, this disk, the directory's disk, entries here, entries, the directory's bytes and its
# place, bytes of comment.
_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\x05\x06"
_UTF8_NAME = 0x800  # the one flag of an entry that is of no harm
_LOCATOR_MARK, _LOCATOR_SIZE = b"PK\x06\x07", 20


def read_files(path: Path) -> dict[str, bytes]:
    """Return the bytes of every file by name. Raises OSError, or BundleError if this cannot be a bundle."""
    return _read_directory(path) if path.is_dir() else _read_pack(path)


def _read_directory(path: Path) -> dict[str, bytes]:
    names: list[str] = []
    with os.scandir(path) as entries:
        for entry in entries:
            if not stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
                raise BundleError(f"{entry.name!a} is not a plain file: remove it")
            names.append(entry.name)
            if len(names) > MAX_FILES:
                raise _too_large()
    contents: dict[str, bytes] = {}
    left = MAX_BUNDLE_BYTES
    for name in sorted(names):
        contents[name] = _read_file(path / name, left)
        left -= len(contents[name])
    return contents


def _too_large() -> BundleError:
    return BundleError(f"more than {MAX_FILES} files or {MAX_BUNDLE_BYTES >> 20} MiB: not a bundle")


def _read_file(path: Path, most: int) -> bytes:
    """Read a plain file of at most `most` bytes, no more than it has when it is opened."""
    # Looked at first, as opening some devices does something; and again, as it may be another by then. Opened without
    # waiting, as a FIFO would hold us up for ever.
    _require_plain(path.stat())
    with os.fdopen(os.open(path, open_flags("O_RDONLY", "O_NONBLOCK")), "rb") as file:
        status = os.fstat(file.fileno())
        _require_plain(status)
        if status.st_size > most:
            raise _too_large()
        return file.read(status.st_size)


def _require_plain(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise BundleError("neither a folder nor a plain file")


def _read_pack(path: Path) -> dict[str, bytes]:
    data = _read_file(path, MAX_BUNDLE_BYTES)
    comment = data[-PACK_COMMENT_SIZE:]
    if not comment.startswith(PACK_MARK):
        if path.suffix == ".tflite":
            raise BundleError("a bare model: make a bundle of it with `fieldfare bundle import`")
        raise BundleError("not a packed bundle, or cut short: pack it with `fieldfare bundle pack`")
    body = memoryview(data)[:-PACK_COMMENT_SIZE]
    if comment != PACK_MARK + hashlib.sha256(body).hexdigest().encode():
        raise BundleError("damaged (SHA-256 differs): copy it again")
    entries = _entries_promised(body)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_entries(archive.infolist(), entries, len(data))
            return {entry.filename: archive.read(entry) for entry in archive.infolist()}
    except BundleError:
        raise
    except (
        zipfile.BadZipFile,
        LookupError,
        NotImplementedError,
        RuntimeError,
        EOFError,
        ValueError,
        struct.error,
        OSError,
    ) as error:
        # The library's own words quote names and offsets of the archive.
        raise BundleError(
            "its ZIP is malformed, or not as Fieldfare packs: pack it with `fieldfare bundle pack`"
        ) from error


def _entries_promised(body: memoryview) -> int:
    """Return the number of files by the end record, which must be ours: one disk, a small directory right before it.

    body: all bytes before the comment.
    """
    place = len(body) - _END.size
    if place < 0:
        raise BundleError("no ZIP in it: pack it with `fieldfare bundle pack`")
    mark, disk, first_disk, here, count, size, start, comment = _END.unpack_from(body, place)
    # zipfile takes the last mark that it finds, and the numbers of a 64-bit record if there is one.
    other = _END_MARK in bytes(body[place + 1 :])
    wide = bytes(body[max(0, place - _LOCATOR_SIZE) :][: len(_LOCATOR_MARK)]) == _LOCATOR_MARK
    whole = (disk, first_disk, here, comment) == (0, 0, count, PACK_COMMENT_SIZE) and start + size == place
    if mark != _END_MARK or other or wide or not whole:
        raise BundleError("its ZIP directory is not where it must be: pack it with `fieldfare bundle pack`")
    if count > MAX_FILES or size > MAX_DIRECTORY_BYTES:
        raise BundleError(
            f"a ZIP directory of {count} files in {size} bytes, at most {MAX_FILES} in {MAX_DIRECTORY_BYTES}: "
            "not a bundle"
        )
    return int(count)


def _check_entries(entries: list[zipfile.ZipInfo], count: int, size: int) -> None:
    names = {entry.filename for entry in entries}
    if len(entries) != count or len(names) != count:
        raise BundleError(f"{len(names)} names in {len(entries)} entries, must be {count} in {count}: not a bundle")
    if not entries:
        raise BundleError("holds no files: pack it with `fieldfare bundle pack`")
    if any(len(name) > MAX_NAME for name in names):
        raise BundleError(f"a file's name is longer than {MAX_NAME} characters: not a bundle")
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size for entry in entries):
        raise BundleError("compressed: pack it with `fieldfare bundle pack`")
    if any(entry.flag_bits & ~_UTF8_NAME or entry.extra for entry in entries):
        raise BundleError("encrypted, or with fields that no bundle has: pack it with `fieldfare bundle pack`")
    # Not is_dir, which stumbles over an entry without a name in Python 3.11.
    if any(
        entry.filename[-1:] in ("", "/") or stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG)
        for entry in entries
    ):
        raise BundleError("holds more than plain files: pack it with `fieldfare bundle pack`")
    if sum(entry.file_size for entry in entries) > size:
        raise BundleError("its entries overlap: pack it with `fieldfare bundle pack`")


def shortened(text: str) -> str:
    """Return a library's message on one line, without its middle if it is long: it may hold a stranger's bytes."""
    text = "".join(c if c.isprintable() else "?" for c in text)
    half = _MAX_MESSAGE // 2
    return text if len(text) <= _MAX_MESSAGE else f"{text[:half]} ... {text[-half:]}"

"""Take Debian packages into a kit: read what each one is for, and refuse what cannot be installed there."""

import hashlib
import io
import lzma
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edge.errors import DataError, MissingInputError
from edge.kit.targets import Target
from edge.photo_files import is_nobodys

MOST_BYTES = 512 << 20
_MOST_PACKAGES = 500
_MOST_CONTROL = 1 << 20
_MOST_UNPACKED = 16 << 20
_MARK = b"!<arch>\n"
# ar(5): name, time, owner, group, mode, size, and two bytes that end a header.
_HEADER = 60
# What dpkg unpacks; a compression stands behind the last two. The rest may be signatures.
_PARTS = ("debian-binary", "control.tar", "data.tar")
_MOST_MEMBERS = 16
_FIELD = re.compile(r"^(Package|Version|Architecture):[ \t]*(\S+)[ \t]*$", re.MULTILINE)
# Debian's policy for names and versions; an epoch has a colon, which FAT cannot hold in a name.
_NAME, _VERSION = re.compile(r"[a-z0-9][a-z0-9+.-]+"), re.compile(r"(?:\d+:)?([A-Za-z0-9.+~-]+)")


@dataclass(frozen=True, slots=True)
class Deb:
    """A Debian package: its name and the file that holds it.

    file: its name in a kit, as Debian names packages, without an epoch
    """

    package: str
    version: str
    file: str
    path: Path
    size: int
    sha256: str


def read_debs(folder: Path, target: Target) -> tuple[Deb, ...]:
    """Return the packages in `folder`, by name. Hidden files are passed over.

    Raises MissingInputError (no such folder), or DataError for what is no package, is of another architecture, or is
    there twice.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if not is_nobodys(path.name))
    except OSError as error:
        raise MissingInputError(f"--debs {folder}: cannot read: {error.strerror or error}") from error
    if not paths:
        raise DataError(f"--debs {folder}: an empty folder: put .deb files there, or leave --debs out")
    if len(paths) > _MOST_PACKAGES:
        raise DataError(f"--debs {folder}: {len(paths)} files, at most {_MOST_PACKAGES}")
    found: dict[str, Deb] = {}
    for path in paths:
        deb = _read(path, target)
        if deb.package in found:
            raise DataError(f"{path}: {deb.package} is in {found[deb.package].path.name}, too: remove one of them")
        found[deb.package] = deb
    return tuple(found[name] for name in sorted(found))


def _read(path: Path, target: Target) -> Deb:
    if path.suffix != ".deb" or not path.is_file():
        raise DataError(f"{path}: no .deb file: remove it")
    try:
        with path.open("rb") as file:
            size = _size(file)
            fields = dict(_FIELD.findall(_control(file, size)))
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MissingInputError(f"{path}: cannot read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    package, version, architecture = (fields.get(key, "") for key in ("Package", "Version", "Architecture"))
    plain = _VERSION.fullmatch(version)
    if not _NAME.fullmatch(package) or plain is None:
        raise DataError(f"{path}: its control file names no package and version: no Debian package")
    if architecture not in (target.architecture, "all"):
        raise DataError(
            f"{path}: {package} for {architecture or 'no architecture'}, must be for {target.architecture} "
            f"(--target {target.name}): remove it, or put the right one there"
        )
    name = f"{package}_{plain[1]}_{architecture}.deb"
    return Deb(package, version, name, path, size, digest)


def _size(file: IO[bytes]) -> int:
    size = file.seek(0, io.SEEK_END)
    if size > MOST_BYTES:
        raise ValueError(f"{size >> 20} MiB, at most {MOST_BYTES >> 20}")
    file.seek(0)
    return size


def _control(file: IO[bytes], size: int) -> str:
    """Return the control file of a package (deb(5)) that is whole to its end. Raises ValueError with the reason."""
    if file.read(len(_MARK)) != _MARK:
        raise ValueError("no Debian package (no ar archive)")
    members = tuple(_members(file, size))
    for part in _PARTS:
        if not any(name.startswith(part) for name, _, _ in members):
            raise ValueError(f"no Debian package (no {part} in it), or copied in part")
    name, at, length = next(one for one in members if one[0].startswith("control.tar"))
    if length > _MOST_CONTROL:
        raise ValueError(f"{name} has {length} bytes, at most {_MOST_CONTROL}: no Debian package")
    file.seek(at)
    return _control_file(_unpacked(name, file.read(length)))


def _members(file: IO[bytes], size: int) -> Iterator[tuple[str, int, int]]:
    """Yield the name of each member of an ar archive of `size` bytes, where its content begins, and how long it is.
    Raises ValueError if the last one does not end where the file does."""
    at = len(_MARK)
    for _ in range(_MOST_MEMBERS):
        if at >= size:
            return
        file.seek(at)
        header = file.read(_HEADER)
        if len(header) < _HEADER or header[58:] != b"`\n" or not header[48:58].strip().isdigit():
            raise ValueError(f"damaged, or copied in part: after {at} of {size} bytes there is no member of a package")
        name, length = header[:16].decode("ascii", "replace").strip().rstrip("/"), int(header[48:58])
        at += _HEADER
        if at + length > size:
            raise ValueError(f"copied in part: {name} needs {at + length - size} bytes more: copy it again")
        yield name, at, length
        at += length + length % 2
    raise ValueError(f"more than {_MOST_MEMBERS} members in it: no Debian package")


def _unpacked(name: str, data: bytes) -> bytes:
    """Decompress a control.tar, to 16 MiB at most."""
    try:
        if name.endswith(".gz"):
            unpacker = zlib.decompressobj(wbits=31)
            return _bounded(unpacker.decompress(data, _MOST_UNPACKED + 1))
        if name.endswith(".xz"):
            return _bounded(lzma.LZMADecompressor(memlimit=256 << 20).decompress(data, _MOST_UNPACKED + 1))
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise ValueError(f"{name} is damaged, or copied in part") from error
    if name == "control.tar":
        return data
    raise ValueError(f"{name}: packed in a way that cannot be read here, must be .gz or .xz: take Debian's own package")


def _bounded(data: bytes) -> bytes:
    if len(data) > _MOST_UNPACKED:
        raise ValueError(f"its control.tar unpacks to more than {_MOST_UNPACKED >> 20} MiB: no Debian package")
    return data


def _control_file(data: bytes) -> str:
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                if member.name.removeprefix("./") == "control" and member.isfile():
                    content = archive.extractfile(member)
                    assert content is not None  # a plain file
                    return content.read(_MOST_CONTROL).decode(errors="replace")
    except (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError("its control.tar is damaged") from error
    raise ValueError("its control.tar holds no control file: no Debian package")

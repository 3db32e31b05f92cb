"""Find out whether a video file was cut short, by the structure of its container.

Counts of frames in containers are often wrong, and those of FFmpeg are computed from a duration and a rate.
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

_MOST_BOXES = 100_000
_MOVIE_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067
_STREAMED = (0, 0xFFFFFFFF)  # written before the length was known


def is_cut_short(path: Path) -> bool:
    """Return True if an AVI, MP4, MOV, Matroska or WebM file ends before its container does, or the container breaks
    off. False for other files, and for containers of unknown length. Raises OSError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(12)
        file.seek(0)
        try:
            if head.startswith(b"RIFF"):
                return _is_riff_cut(file, size)
            if head[4:8] in _MOVIE_BOXES:
                return _are_boxes_cut(file, size)
            return _is_matroska_cut(file, size)
        except struct.error:  # the file ends inside a header
            return True


def _is_riff_cut(file: BinaryIO, size: int) -> bool:
    place = 0
    for _ in range(_MOST_BOXES):
        if place >= size:
            return False
        file.seek(place)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"RIFF":
            if length in _STREAMED:
                return False
            if place + 8 + length > size:
                return True
            place += 12  # its chunks follow its kind
        elif not _is_name(name) or length in _STREAMED[1:] or place + 8 + length > size:
            return True
        else:
            place += 8 + length + length % 2
    return False


def _are_boxes_cut(file: BinaryIO, size: int) -> bool:
    place = 0
    for _ in range(_MOST_BOXES):
        if place >= size:
            return False
        file.seek(place)
        length, name = struct.unpack(">I4s", file.read(8))
        if length == 0:  # until the end of the file
            return False
        least = 8
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
            least = 16
        if length < least or not _is_name(name) or place + length > size:
            return True
        place += length
    return False


def _is_matroska_cut(file: BinaryIO, size: int) -> bool:
    place = 0
    for expected in (_EBML, _SEGMENT):
        file.seek(place)
        if file.read(4) != expected.to_bytes(4, "big"):
            return False
        first = file.read(1)
        if not first or not first[0]:
            return False
        more = 8 - first[0].bit_length()
        length = int.from_bytes(bytes([first[0] & (0xFF >> (more + 1))]) + file.read(more), "big")
        if length == (1 << 7 * (more + 1)) - 1:  # unknown
            return False
        place += 4 + 1 + more + length
    return place > size


def _is_name(name: bytes) -> bool:
    return all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in name)

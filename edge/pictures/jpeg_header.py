"""Read what a JPEG claims to be from its headers."""

import struct
from dataclasses import dataclass

from edge.errors import ImageError

_MOST_SEGMENTS = 2000
# Of bytes between segments, of which Pillow reads one after the other in Python: 380 MB of them took over 75 s. A
# camera fills up a block of its card.
_MOST_BETWEEN = 1 << 20
# A progressive picture has 10 scans or so. Each costs a pass over all pixels and may take up a few bytes: 500 scans
# over 4000x4000 are 5 s of work in 40 kB.
MOST_SCANS = 64

BEGINS, SCAN, ENDS = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_END_MARKER, _SCAN_MARKER = 0xD9, 0xDA
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ONE_PASS = frozenset({0xC0, 0xC1, 0xC9})  # baseline and extended sequential
# libjpeg stops at these, but Pillow goes on within them, and would find EXIF data there that nobody has judged.
_IN_NO_JPEG = frozenset({0xC8, 0xD8, *range(0xF0, 0xFE)})
_ARITHMETIC, _EXIF_MARKER, _EXIF = 0xCC, 0xE1, b"Exif\0"
_PICTURES_MARKER, _PICTURES = 0xE2, b"MPF\0"


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What a JPEG claims to be.

    width, height: in pixels.
    scan_at: the offset at which its first scan begins.
    held_bytes: what a decoder holds of it beside the pixels.
    exif: its EXIF data, of all segments together, without the mark in front; b"" if there is none.
    pictures: the directory of the pictures in the file (MPF), without its mark; b"" if there is none. Of several, the
        last, by which Pillow goes.
    """

    width: int
    height: int
    scan_at: int
    held_bytes: int
    exif: bytes = b""
    pictures: bytes = b""

    @property
    def least_bytes(self) -> int:
        """Return the bytes that the scans of a whole picture of this size have at least."""
        return least_bytes(self.width, self.height)


def least_bytes(width: int, height: int) -> int:
    """Return the bytes that a whole JPEG of this size has at least."""
    # Of each block of 8x8 pixels, a scan holds one code of one bit or more. A decoder completes a picture with fewer
    # in grey, and takes the memory for all of it: 20 kB became 90 megapixels and took 1.3 GB.
    return -(-width // 8) * -(-height // 8) // 8


def jpeg_header(data: bytes) -> JpegHeader:
    """Read the segments up to the first scan, as libjpeg does. Raises ImageError if `data` is not a JPEG, or ends
    before."""
    if not data.startswith(BEGINS):
        raise ImageError("not a JPEG")
    try:
        return _walk(data)
    except (IndexError, struct.error):
        raise ImageError("truncated") from None


def _walk(data: bytes) -> JpegHeader:
    width = height = components = 0
    one_pass, position, between, exif, pictures = True, len(BEGINS), 0, list[bytes](), b""
    for _ in range(_MOST_SEGMENTS):
        # Between segments libjpeg passes over anything but a marker, and so must whoever judges for it.
        marker_at = _next_marker(data, position, position + _MOST_BETWEEN - between)
        between += marker_at - position
        position, marker = marker_at, data[marker_at]
        position += 1
        if marker == 0 or marker in _NO_LENGTH:
            continue
        if marker == _END_MARKER:
            break
        (length,) = struct.unpack_from(">H", data, position)
        segment = position + 2, position + length
        if marker in _IN_NO_JPEG or (marker == _ARITHMETIC and data.find(b"\xff", *segment) >= 0):
            raise ImageError(f"damaged: marker {marker:02X}")
        if marker == _EXIF_MARKER and data.startswith(_EXIF, *segment):
            exif.append(data[position + 8 : position + length])
        if marker == _PICTURES_MARKER and data.startswith(_PICTURES, *segment):
            pictures = data[position + 6 : position + length]
        if marker in _FRAME_MARKERS:
            height, width, components = struct.unpack_from(">xHHB", data, position + 2)
            one_pass = marker in _ONE_PASS
        elif marker == _SCAN_MARKER:
            if not width * height * components:
                break
            in_one_scan = one_pass and data[position + 2] == components
            held = 0 if in_one_scan else 2 * width * height * components
            return JpegHeader(width, height, position - 2, held, b"".join(exif), pictures)
        position += length
    raise ImageError("damaged: no picture in it")


def _next_marker(data: bytes, position: int, last: int) -> int:
    """Return where the next marker after `position` has its second byte, at most `last`. Raises ImageError, or
    IndexError if `data` ends."""
    position = data.find(b"\xff", position)
    if position < 0:
        raise ImageError("truncated")
    while position <= last and data[position] == 0xFF:
        position += 1
    if position > last:
        raise ImageError(f"over {_MOST_BETWEEN:,} bytes between its parts")
    return position


def is_whole_jpeg(data: bytes) -> bool:
    """Return True if `data` is one JPEG from its first to its last byte, as far as markers show it."""
    if not data.endswith(ENDS):
        return False
    try:
        return jpeg_header(data).scan_at < len(data) - len(ENDS)
    except ImageError:
        return False

"""Judge a JPEG by its headers, before anything is allocated for its pixels, and decode whole ones only."""

import struct
from dataclasses import dataclass

import numpy as np

from edge.errors import ImageError
from edge.images import MAX_MEGAPIXELS
from edge.records import Pixels

MOST_PIXELS = MAX_MEGAPIXELS * 1_000_000
# A decoder keeps the coefficients of a progressive picture, 2 bytes a sample, until its last scan.
_MOST_COEFFICIENT_BYTES = 192 * 1024 * 1024
# A progressive picture has 10 scans or so. Each costs a pass over all pixels and may take up a few bytes: 500 scans
# over 4000x4000 are 5 s of work in 40 kB.
_MOST_SCANS = 64
_MOST_SEGMENTS = 2000
# 4K stays whole. Four pictures are held at a time, 3 bytes a pixel, and as much again is lost to fragmentation while
# sizes change: 380 MB for the worker with 12.5 megapixels. A model sees a few hundred pixels a side.
_REDUCED_ABOVE_PIXELS = 8_500_000

_BEGINS, _SCAN, _ENDS = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_END_MARKER, _SCAN_MARKER = 0xD9, 0xDA
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ONE_PASS = frozenset({0xC0, 0xC1, 0xC9})  # baseline and extended sequential


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What a JPEG claims to be.

    width, height: in pixels.
    scan_at: the offset at which its first scan begins.
    held_bytes: what a decoder holds of it beside the pixels.
    """

    width: int
    height: int
    scan_at: int
    held_bytes: int


def jpeg_header(data: bytes) -> JpegHeader:
    """Read the segments up to the first scan, as libjpeg does. Raises ImageError if `data` is not a JPEG, or ends
    before."""
    if not data.startswith(_BEGINS):
        raise ImageError("not a JPEG")
    try:
        return _walk(data)
    except (IndexError, struct.error):
        raise ImageError("truncated") from None


def _walk(data: bytes) -> JpegHeader:
    width = height = components = 0
    one_pass, position = True, len(_BEGINS)
    for _ in range(_MOST_SEGMENTS):
        # Between segments libjpeg passes over anything but a marker, and so must whoever judges for it.
        position = data.find(b"\xff", position)
        if position < 0:
            raise ImageError("truncated")
        while data[position] == 0xFF:
            position += 1
        marker = data[position]
        position += 1
        if marker == 0 or marker in _NO_LENGTH:
            continue
        if marker == _END_MARKER:
            break
        (length,) = struct.unpack_from(">H", data, position)
        if marker in _FRAME_MARKERS:
            height, width, components = struct.unpack_from(">xHHB", data, position + 2)
            one_pass = marker in _ONE_PASS
        elif marker == _SCAN_MARKER:
            if not width * height * components:
                break
            in_one_scan = one_pass and data[position + 2] == components
            held = 0 if in_one_scan else 2 * width * height * components
            return JpegHeader(width, height, position - 2, held)
        position += length
    raise ImageError("damaged: no picture in it")


def is_whole_jpeg(data: bytes) -> bool:
    """Return True if `data` is one JPEG from its first to its last byte, as far as markers show it."""
    if not data.endswith(_ENDS):
        return False
    try:
        return jpeg_header(data).scan_at < len(data) - len(_ENDS)
    except ImageError:
        return False


def decode_jpeg(packet: Pixels, *, least: tuple[int, int] | None = None) -> Pixels:
    """Decode a JPEG to uint8 (height, width, 3), B, G, R.

    packet: uint8, flat. A JPEG that lacks bytes in the middle passes: its rest is grey or shifted, but never shows
    another picture.
    least: the (width, height) that the caller needs; then a picture of over 8.5 megapixels is decoded at half its width
    and height, of over 34 at a quarter, but not below this. None: in its own size.
    Raises ImageError, with a few words and no name, if it is truncated, not a JPEG, over 100 megapixels, or made to
    take a decoder's time or memory.
    """
    import cv2

    data = packet.tobytes()
    header = jpeg_header(data)
    pixels = header.width * header.height
    if pixels > MOST_PIXELS:
        raise ImageError(f"{header.width}x{header.height} is {pixels / 1e6:.0f} megapixels, at most {MAX_MEGAPIXELS}")
    if header.held_bytes > _MOST_COEFFICIENT_BYTES:
        raise ImageError(
            f"progressive, {header.width}x{header.height}: at most {_MOST_COEFFICIENT_BYTES // 6e6:.0f}"
            " megapixels in colour"
        )
    # Compressed pixels never hold a marker, and a preview inside the file ends before they begin.
    if data.rfind(_ENDS) <= data.rfind(_SCAN):
        raise ImageError("truncated")
    scans = data.count(_SCAN, header.scan_at)
    if scans > _MOST_SCANS:
        raise ImageError(f"progressive, in {scans} scans: at most {_MOST_SCANS}")
    image = cv2.imdecode(packet, _flags(header, least))
    if image is None:
        raise ImageError("damaged")
    return np.asarray(image, dtype=np.uint8)


def _flags(header: JpegHeader, least: tuple[int, int] | None) -> int:
    """Return OpenCV's flags to decode a picture, smaller if it is large and `least` is given."""
    import cv2

    size = cv2.IMREAD_COLOR
    for smaller, factor in ((cv2.IMREAD_REDUCED_COLOR_2, 2), (cv2.IMREAD_REDUCED_COLOR_4, 4)):
        too_large = header.width * header.height > _REDUCED_ABOVE_PIXELS * (factor // 2) ** 2
        if least is None or not too_large or header.width < factor * least[0] or header.height < factor * least[1]:
            break
        size = smaller
    return size | cv2.IMREAD_IGNORE_ORIENTATION

"""Judge a JPEG by its headers, before anything is allocated for its pixels, and decode whole ones only."""

import numpy as np

from edge.errors import ImageError
from edge.pictures.claims import MAX_MEGAPIXELS
from edge.pictures.jpeg_header import ENDS, MOST_SCANS, SCAN, JpegHeader, jpeg_header
from edge.pictures.quiet import decoders_quiet
from edge.records import Pixels

MOST_PIXELS = MAX_MEGAPIXELS * 1_000_000
# A decoder keeps the coefficients of a progressive picture, 2 bytes a sample, until its last scan.
_MOST_COEFFICIENT_BYTES = 192 * 1024 * 1024
# 4K stays whole. Four pictures are held at a time, 3 bytes a pixel, and as much again is lost to fragmentation while
# sizes change: 380 MB for the worker with 12.5 megapixels. A model sees a few hundred pixels a side.
_REDUCED_ABOVE_PIXELS = 8_500_000


def decode_jpeg(packet: Pixels, *, least: tuple[int, int] | None = None, most_pixels: int = MOST_PIXELS) -> Pixels:
    """Decode a JPEG to uint8 (height, width, 3), B, G, R.

    packet: uint8, flat. A JPEG that lacks bytes in the middle passes: its rest is grey or shifted, but never shows
    another picture.
    least: the (width, height) that the caller needs; then a picture of over 8.5 megapixels is decoded at half its width
    and height, of over 34 at a quarter, but not below this. None: in its own size.
    Raises ImageError, with a few words and no name, if it is truncated, not a JPEG, over `most_pixels`, or made to
    take a decoder's time or memory.
    """
    import cv2

    data = packet.tobytes()
    header = jpeg_header(data)
    pixels = header.width * header.height
    if pixels > most_pixels:
        raise ImageError(
            f"{header.width}x{header.height} is {pixels / 1e6:.0f} megapixels, at most {most_pixels / 1e6:.3g}"
        )
    if header.held_bytes > _MOST_COEFFICIENT_BYTES:
        raise ImageError(
            f"progressive, {header.width}x{header.height}: at most {_MOST_COEFFICIENT_BYTES // 6e6:.0f}"
            " megapixels in colour"
        )
    # Compressed pixels never hold a marker, and a preview inside the file ends before they begin.
    if data.rfind(ENDS) <= data.rfind(SCAN) or len(data) - header.scan_at < header.least_bytes:
        raise ImageError("truncated")
    scans = data.count(SCAN, header.scan_at)
    if scans > MOST_SCANS:
        raise ImageError(f"progressive, in {scans} scans: at most {MOST_SCANS}")
    with decoders_quiet():
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

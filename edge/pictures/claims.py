"""Compare what a picture file claims to be with the bytes that are there, before memory is taken for its pixels."""

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from edge.errors import ImageError
from edge.pictures.directories import TIFF_STARTS, check_exif, tags_weight
from edge.pictures.jpeg_header import ENDS, MOST_SCANS, SCAN, jpeg_header
from edge.pictures.tiff import bytes_a_pixel, claimed_pixels, shortage

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_MEGAPIXELS = 100  # 300 MB once decoded; a phone's 48 MP fits
# libwebp's reader and Pillow keep 19 bytes for each pixel, others 7: 1.9 GB for 100 megapixels.
_MAX_WEBP_MEGAPIXELS = 50
# What a picture takes while it is decoded, its file's bytes too. Pillow keeps 4 bytes a pixel, and the result has 3.
_MOST_BYTES = 1_100_000_000
_BYTES_A_PIXEL, _WEBP_BYTES_A_PIXEL = 7, 19
# Pillow decodes the runs of a BMP in Python: 0.4 s for a million codes of two bytes, and 0.1 s for a million pixels.
# One code may skip 255 rows.
_MOST_RUN_BYTES, _MAX_RUN_MEGAPIXELS, _MOST_RUN_WIDTH = 8_000_000, 20, 32_767
_IHDR = b"\0\0\0\rIHDR"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
# Pillow reads the parts of a PNG in Python: 200,000 take 3 s. Files of 400 MB whose parts have 2 kB have fewer.
_MOST_PARTS = 200_000
_DEFLATE_MOST = 1032  # bytes that become of one
_RLE_MOST = 255  # pixels of a code of two bytes
_FIX = "remove or copy it again"
_REPAIR = f"damaged or cut short: {_FIX}"
_ODD_TAGS = (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError, OverflowError)


def check_start(data: bytes) -> None:
    """Raise ImageError, in words without a name, if Pillow must not even open `data`: it takes memory for whole WebP
    pictures and for EXIF data then, and reads a PNG's second header in place of its first."""
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        _check_webp(data)
    elif data.startswith(PNG_SIGNATURE):
        _check_png(data)
    elif data.startswith(b"\xff\xd8\xff"):
        _check_jpeg(data)
    elif data.startswith(TIFF_STARTS):
        tags_weight(data)


def _check_webp(data: bytes) -> None:
    (length,) = struct.unpack_from("<I", data.ljust(8, b"\0"), 4)
    if length + 8 > len(data):
        raise ImageError(f"{len(data):,} bytes, at least {length + 8:,}: {_REPAIR}")
    size = _webp_size(data)
    if size is None:
        raise ImageError(f"damaged (it does not begin with a WebP's picture or size): {_FIX}")
    check_pixels(*size, most=_MAX_WEBP_MEGAPIXELS)
    # libwebp copies the file, and Pillow what is in it beside the picture.
    _check_memory(size, len(data), 3 * len(data) + _WEBP_BYTES_A_PIXEL * size[0] * size[1])


def _check_png(data: bytes) -> None:
    headers = sum(kind == b"IHDR" for kind, _, _ in _png_chunks(data))
    if not data.startswith(_IHDR, len(PNG_SIGNATURE)) or headers != 1:
        raise ImageError(f"damaged (a PNG begins with its header, and has one): {_FIX}")


def _check_memory(size: tuple[int, int], held: int, taken: int) -> None:
    """Raise ImageError if decoding a picture of this size, in a file of `held` bytes, would take too many bytes."""
    if taken > _MOST_BYTES:
        raise ImageError(
            f"{size[0]}x{size[1]} pixels in a file of {held / 1e6:.0f} MB take {taken / 1e6:,.0f} MB of memory, at "
            f"most {_MOST_BYTES / 1e6:,.0f}: make it smaller"
        )


def check_pixels(width: int, height: int, pixels: int = 0, most: int = MAX_MEGAPIXELS) -> None:
    """Raise ImageError if a picture of this size, or `pixels` if that is more, is over `most` megapixels."""
    pixels = max(pixels, width * height)
    if pixels > most * 1_000_000:
        raise ImageError(f"{width}x{height} is {pixels / 1e6:.0f} megapixels, at most {most}: make it smaller")


def check_claim(image: "Image", data: bytes) -> None:
    """Raise ImageError, in words without a name, if `data` cannot hold the picture that `image` was opened as, not yet
    loaded, or if that has over 100 megapixels.

    Pillow takes memory for the size that a file claims before it sees how much of it is there.
    """
    width, height = image.size
    check_pixels(width, height)
    if image.format == "PNG":
        present, least = _png_bytes(data)
        _require(image, present, least)
        # Pillow copies texts, profiles and what programs keep for themselves.
        _check_memory(image.size, len(data), 3 * len(data) - 2 * present + _BYTES_A_PIXEL * width * height)
    elif image.format in ("BMP", "DIB"):
        _require(image, len(data), _bmp_bytes(image))
        _check_memory(image.size, len(data), len(data) + _BYTES_A_PIXEL * width * height)
        _check_runs(image, len(data))
    elif image.format == "TIFF":
        _check_tiff(image, data)


def _check_jpeg(data: bytes) -> None:
    try:
        header = jpeg_header(data)
    except ImageError as error:
        raise ImageError(f"damaged or cut short ({error}): {_FIX}") from error
    check_pixels(header.width, header.height)
    check_exif(header.exif)
    tags_weight(header.pictures)  # which Pillow reads as it opens the file
    ends = data.find(ENDS, header.scan_at)  # compressed pixels never hold a marker
    scan_bytes = (len(data) if ends < 0 else ends) - header.scan_at
    if scan_bytes < header.least_bytes:
        raise ImageError(_short(scan_bytes, (header.width, header.height), header.least_bytes))
    if ends < 0:
        raise ImageError(f"damaged or cut short (it ends within the picture): {_FIX}")
    scans = data.count(SCAN, header.scan_at, ends)
    if scans > MOST_SCANS:
        raise ImageError(f"progressive, in {scans} scans, at most {MOST_SCANS}: save it anew")
    # Pillow keeps what comes before the scans twice more. libjpeg's own are gone when the result is made.
    pixels = header.width * header.height
    decoding = max(_BYTES_A_PIXEL * pixels, 4 * pixels + header.held_bytes)
    _check_memory((header.width, header.height), len(data), len(data) + 2 * header.scan_at + decoding)


def _png_bytes(data: bytes) -> tuple[int, int]:
    """Return how many compressed bytes a PNG holds, and how many it holds at least if it is whole."""
    width, height = struct.unpack_from(">II", data, 16)
    least = height * (1 + width * data[24] * _PNG_CHANNELS.get(data[25], 1) // 8) // _DEFLATE_MOST
    present = 0
    for kind, place, length in _png_chunks(data):
        if kind == b"IDAT":
            present += length
            if place + length > len(data):
                return len(data), place + length
    return present, least


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, place of the contents, and their length, of each part of a PNG up to its end. Raises ImageError if
    they are too many."""
    place, kind, parts = len(PNG_SIGNATURE), b"", 0
    while place + 8 <= len(data) and kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, place)
        parts += 1
        if parts > _MOST_PARTS:
            raise ImageError(f"over {_MOST_PARTS:,} parts (chunks), which takes too long: save it anew")
        yield kind, place + 8, length
        place += 12 + length


def _bmp_bytes(image: "Image") -> int:
    codec, (_, _, width, height), offset, arguments = image.tile[0]  # type: ignore[attr-defined]
    if codec == "raw":
        return int(offset + arguments[1] * height - 3)  # a row is filled up to four bytes, but the last need not be
    return int(offset + 2 * width * height // _RLE_MOST)


def _check_runs(image: "Image", size: int) -> None:
    codec, (_, _, width, height), offset, _ = image.tile[0]  # type: ignore[attr-defined]
    if codec == "raw":
        return
    if size - offset > _MOST_RUN_BYTES or width > _MOST_RUN_WIDTH or width * height > _MAX_RUN_MEGAPIXELS * 1_000_000:
        raise ImageError(
            f"{width}x{height} pixels in {size - offset:,} bytes of runs, at most {_MAX_RUN_MEGAPIXELS} megapixels, "
            f"{_MOST_RUN_WIDTH:,} wide, in {_MOST_RUN_BYTES:,}: save it without compression"
        )


def _check_tiff(image: "Image", data: bytes) -> None:
    tags = image.tag_v2  # type: ignore[attr-defined]
    try:
        pixels, lack = claimed_pixels(tags), shortage(tags, len(data))
        taken = len(data) + 2 * tags_weight(data) + pixels * bytes_a_pixel(tags)
    except _ODD_TAGS as error:
        raise ImageError(f"damaged ({type(error).__name__} in its tags): {_FIX}") from error
    check_pixels(*image.size, pixels)
    if lack:
        raise ImageError(f"{lack}, for {image.size[0]}x{image.size[1]} pixels: {_REPAIR}")
    _check_memory(image.size, len(data), taken)


def _require(image: "Image", present: int, least: int) -> None:
    if present < least:
        raise ImageError(_short(present, image.size, least))


def _short(present: int, size: tuple[int, int], least: int) -> str:
    return f"{present:,} bytes for {size[0]}x{size[1]} pixels, at least {least:,}: {_REPAIR}"


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Return the size that the first chunk of a WebP claims; None if it claims none."""
    kind = data[12:16]
    if len(data) < 30:
        return None
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return None

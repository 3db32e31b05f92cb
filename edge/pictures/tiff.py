"""Compare the size that a TIFF claims with the strips or tiles that it holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES = 256, 257, 258, 259, 262, 277
_ORIENTATION, _STRIP_OFFSETS, _ROWS_PER_STRIP, _STRIP_BYTES, _PLANAR = 274, 273, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
_UNCOMPRESSED, _YCBCR, _SEPARATE = 1, 6, 2
# How many bytes become of one at most, by the compression's number. Bilevel fax codes take a bit a row, a JPEG a bit
# for 64 pixels; LZW has strings of 3,838 bytes in 12 bits, Zstandard blocks of 131,072 in four bytes, LZMA matches of
# 273 in a third of a bit. What is not here has no limit of use: a plain picture is a few bytes in WebP.
_MOST_FROM_ONE = {_UNCOMPRESSED: 1, 5: 2600, 6: 1536, 7: 1536, 8: 1032, 32773: 64, 32946: 1032}
_MOST_FROM_ONE |= {34925: 10_000, 50000: 40_000}
_FAX = frozenset({2, 3, 4, 32771})


@dataclass(frozen=True, slots=True)
class _Pieces:
    """The strips or tiles of a picture.

    number: how many there must be.
    pixels: of all of them together, what lies beyond the picture's edges included.
    offsets, sizes: where in the file, and of how many bytes each is; as many as the file names.
    """

    number: int
    pixels: int
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]


def claimed_pixels(tags: Mapping[int, Any]) -> int:
    """Return how many pixels a decoder of these tags, by their numbers, takes memory for."""
    width, height = tags[_WIDTH], tags[_HEIGHT]
    if _TILE_OFFSETS not in tags:
        return int(width * height)
    return int(max(width * height, tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_HEIGHT, 0)))


def bytes_a_pixel(tags: Mapping[int, Any]) -> int:
    """Return the bytes for each pixel that decoding a picture of these tags, by their numbers, takes beside the file's.
    Raises whatever odd tags raise: TypeError, ValueError."""
    # Pillow keeps 4 bytes, and the result has 3. libtiff unpacks a strip, which may be the whole picture, beside the 4.
    # Pillow turns it within: a second 4, and the C library keeps some of what was freed for the 3.
    if tags.get(_ORIENTATION, 1) != 1:
        return 11
    packed = tags.get(_COMPRESSION, _UNCOMPRESSED) != _UNCOMPRESSED
    return max(7, 4 + int(tags.get(_SAMPLES, 1))) if packed else 7


def shortage(tags: Mapping[int, Any], size: int) -> str:
    """Return what a file of `size` bytes lacks of the picture that its tags, by their numbers, describe, in a few
    words; '' if nothing. Raises whatever odd tags raise: TypeError, ValueError, KeyError, ZeroDivisionError."""
    pieces = _pieces(tags)
    if len(pieces.offsets) < pieces.number:
        return f"{len(pieces.offsets)} of {pieces.number} strips or tiles"
    compression = tags.get(_COMPRESSION, _UNCOMPRESSED)
    present = size
    if compression != _UNCOMPRESSED and len(pieces.sizes) == len(pieces.offsets):
        # The decoder takes the first ones, and reports a piece that reaches beyond the end after memory was taken.
        held = list(zip(pieces.offsets, pieces.sizes, strict=True))[: pieces.number]
        if any(offset + length > size for offset, length in held):
            return f"{size:,} bytes, at least {max(map(sum, held)):,}"
        present = min(size, sum(pieces.sizes[: pieces.number]))
    least = _least_bytes(tags, compression, pieces)
    return f"{present:,} bytes, at least {least:,}" if present < least else ""


def _pieces(tags: Mapping[int, Any]) -> _Pieces:
    width, height = tags[_WIDTH], tags[_HEIGHT]
    planes = tags.get(_SAMPLES, 1) if tags.get(_PLANAR, 1) == _SEPARATE else 1
    if _TILE_OFFSETS in tags and _STRIP_OFFSETS not in tags:
        across, down = tags[_TILE_WIDTH], tags[_TILE_HEIGHT]
        number = -(-width // across) * -(-height // down)
        return _Pieces(number * planes, number * across * down, tags[_TILE_OFFSETS], tags.get(_TILE_BYTES, ()))
    number = -(-height // tags.get(_ROWS_PER_STRIP, height))
    return _Pieces(number * planes, width * height, tags[_STRIP_OFFSETS], tags.get(_STRIP_BYTES, ()))


def _least_bytes(tags: Mapping[int, Any], compression: int, pieces: _Pieces) -> int:
    if compression in _FAX:
        return int(tags[_HEIGHT]) // 8
    if compression not in _MOST_FROM_ONE:
        return 0
    bits = tags.get(_BITS, (1,))
    # Colours of YCbCr may be stored for blocks of pixels only.
    depth = bits[0] if tags.get(_PHOTOMETRIC) == _YCBCR else sum(bits) if len(bits) > 1 else bits[0] * tags.get(277, 1)
    return int(pieces.pixels * depth // 8 // _MOST_FROM_ONE[compression])

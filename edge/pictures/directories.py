"""Weigh the tags that a TIFF's directories, and those of EXIF data, claim, before a library copies them."""

import struct
from collections.abc import Iterator, Mapping

from edge.errors import ImageError

# Tags may all name the same bytes, and Pillow before 13 copies them for each: 3,000 tags on 1 MB took 3.2 GB.
_MOST_WEIGHT = 64 << 20
# A number becomes an object of Python: a fraction is the largest.
_NUMBER_WEIGHT = 128
# Of all directories together, each of which counts as one, too: 63 million empty ones fit into 380 MB, and took over
# 75 s. A photo has some hundred tags, and a document of a thousand pages 20,000.
_MOST_TAGS = 200_000
_MOST_EXIF = 16 << 20  # a preview within is some MB
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}  # by kind
_BYTES = frozenset({1, 2, 7})
_SHORTS = frozenset({3, 8})
_POINTERS = frozenset({34665, 34853, 40965})  # the directories of EXIF, GPS and interoperability
_FIX = "save it without them, or remove it"
TIFF_STARTS = (b"MM\0*", b"II*\0", b"MM*\0", b"II\0*", b"MM\0+", b"II+\0")  # Pillow takes these


def check_exif(exif: bytes) -> None:
    """Raise ImageError if EXIF data is too long, or if its tags claim too much."""
    if len(exif) > _MOST_EXIF:
        raise ImageError(f"{len(exif):,} bytes of EXIF data, at most {_MOST_EXIF:,}: {_FIX}")
    while exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    tags_weight(exif)


def check_info(info: Mapping[object, object]) -> None:
    """Raise ImageError if EXIF data that Pillow has found, `info` of its picture, but not yet read, claims too much."""
    exif, text = info.get("exif"), info.get("Raw profile type exif")
    if isinstance(exif, bytes):
        check_exif(exif)
    if isinstance(text, str):  # ImageMagick's, in hexadecimal digits below three lines
        try:
            exif = bytes.fromhex("".join(text.split("\n")[3:]))
        except ValueError:  # which Pillow does not read either
            return
        check_exif(exif)


def tags_weight(block: bytes) -> int:
    """Return the bytes that the tags of one picture in `block` take at most, a TIFF file or EXIF data without its mark.
    Raises ImageError if it is too much, or if there are too many tags."""
    if block[:2] not in (b"II", b"MM"):
        return 0
    directories = _Directories(block)
    heaviest, page, seen = 0, directories.first, {0}
    while page is not None and page not in seen:
        seen.add(page)
        weight, page = directories.weigh(page)
        heaviest = max(heaviest, weight)
    return heaviest


class _Directories:
    """Reads the directories of a TIFF, classic or big, in the way of Pillow."""

    def __init__(self, block: bytes) -> None:
        order, big = "<" if block.startswith(b"II") else ">", block[2:3] == b"+"
        self._block, self._tags = block, 0
        self._number = struct.Struct(order + ("Q" if big else "I"))
        self._count = struct.Struct(order + ("Q" if big else "H"))
        self._entry = struct.Struct(order + ("HHQ8s" if big else "HHI4s"))
        self._short = struct.Struct(order + "H")
        self.first = self._read(self._number, self._number.size)

    def weigh(self, page: int) -> tuple[int, int | None]:
        """Return what the directory at `page` and those within weigh, and where the next page is."""
        weight, seen, within = 0, set(), [page]
        while within:
            place = within.pop()
            if place in seen:
                continue
            seen.add(place)
            for tag, kind, count, value in self._entries(place):
                weight += self._weight(kind, count, value)
                if tag in _POINTERS:
                    (at,) = self._short.unpack_from(value) if kind in _SHORTS else self._number.unpack(value)
                    within.append(at)
            if weight > _MOST_WEIGHT:
                raise ImageError(f"its tags claim over {_MOST_WEIGHT >> 20} MiB of memory: {_FIX}")
        entries = self._read(self._count, page)
        after = page + self._count.size + (entries or 0) * self._entry.size
        return weight, None if entries is None else self._read(self._number, after)

    def _entries(self, place: int) -> Iterator[tuple[int, int, int, bytes]]:
        count = self._read(self._count, place) or 0
        place += self._count.size
        self._take()
        for at in range(place, min(place + count * self._entry.size, len(self._block)), self._entry.size):
            if at + self._entry.size > len(self._block):
                return
            self._take()
            yield self._entry.unpack_from(self._block, at)

    def _take(self) -> None:
        """Count a tag or a directory."""
        self._tags += 1
        if self._tags > _MOST_TAGS:
            raise ImageError(f"it has over {_MOST_TAGS:,} tags: {_FIX}")

    def _weight(self, kind: int, count: int, value: bytes) -> int:
        size = count * _SIZES.get(kind, 0)
        if size <= len(value):
            return 0
        (at,) = self._number.unpack(value)
        if at + size > len(self._block):  # which Pillow leaves out
            return 0
        return size if kind in _BYTES else count * _NUMBER_WEIGHT

    def _read(self, form: struct.Struct, place: int) -> int | None:
        if place + form.size > len(self._block):
            return None
        (number,) = form.unpack_from(self._block, place)
        return int(number)

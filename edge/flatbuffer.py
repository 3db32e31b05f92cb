"""Read tables of a flatbuffer, by the numbers of their fields, from bytes that may be damaged or hostile.

Own code, since the Python package `flatbuffers` has no verifier: a table whose offsets lead in front of the buffer is
read from its end, and a vector that is longer than the buffer is cut without a word. Here every table, text and vector
must be entirely inside the bytes.
"""

import struct

# EfficientDet-Lite3 has some 700 operators and 1,500 tensors. A vector may claim 2^32 entries, and many tables may
# point at one long vector: no more than these are read of any.
MAX_ENTRIES = 50_000
_MAX_TEXT = 1000
_HEADER = 4  # of a vtable: its own size and the table's
# What reading damaged bytes raises.
DAMAGED = (struct.error, IndexError, ValueError, TypeError, OverflowError)


class Node:
    """A flatbuffer table with field access by number. A field that is left out reads as zero or empty.

    Every access may raise one of DAMAGED.
    """

    def __init__(self, data: bytes, position: int) -> None:
        self.data, self.position = data, position
        self._vtable = position - _number("<i", data, position)
        self._slots, self._size = (_number("<H", data, self._vtable + place) for place in (0, 2))
        if self._slots < _HEADER or self._size < 4:
            raise ValueError(f"a table of {self._size} bytes with {self._slots} bytes of offsets")
        _check(data, self._vtable, self._slots)
        _check(data, position, self._size)

    def _offset(self, field: int) -> int:
        """Return the place of a field in the table; 0 if it is left out."""
        slot = _HEADER + 2 * field
        if slot + 2 > self._slots:
            return 0
        offset = _number("<H", self.data, self._vtable + slot)
        if offset >= self._size:
            raise ValueError(f"field {field} is behind the end of its table")
        return offset

    def scalar(self, field: int, code: str, default: float = 0) -> float:
        """Return a number by its code in `struct`, such as "<h"."""
        offset = self._offset(field)
        return _number(code, self.data, self.position + offset) if offset else default

    def byte(self, field: int) -> int:
        """Return an unsigned byte."""
        return int(self.scalar(field, "<B"))

    def number(self, field: int) -> int:
        """Return an unsigned number of 32 bits."""
        return int(self.scalar(field, "<I"))

    def child(self, field: int) -> "Node | None":
        """Return the table that a field holds."""
        offset = self._offset(field)
        return Node(self.data, _indirect(self.data, self.position + offset)) if offset else None

    def text(self, field: int, most: int = _MAX_TEXT) -> str:
        """Return a text of at most `most` bytes; bytes that are not UTF-8 become U+FFFD."""
        start, size = self._vector(field, 1, None)
        if size > most:
            raise ValueError(f"a name of {size} bytes")
        return self.data[start : start + size].decode("utf-8", "replace")

    def nodes(self, field: int, most: int = MAX_ENTRIES) -> "list[Node]":
        """Return the tables of a vector of at most `most` tables."""
        start, count = self._vector(field, 4, most)
        return [Node(self.data, _indirect(self.data, start + 4 * i)) for i in range(count)]

    def blobs(self, field: int, most: int) -> list[bytes]:
        """Return the contents of a vector of at most `most` texts that hold bytes."""
        start, count = self._vector(field, 4, most)
        places = [_indirect(self.data, start + 4 * i) for i in range(count)]
        found = []
        for place in places:
            size = _number("<I", self.data, place)
            _check(self.data, place + 4, size)
            found.append(self.data[place + 4 : place + 4 + size])
        return found

    def numbers(self, field: int, most: int = MAX_ENTRIES) -> tuple[int, ...]:
        """Return the first `most` of a vector of signed numbers of 32 bits."""
        start, count = self._vector(field, 4, MAX_ENTRIES)
        return struct.unpack_from(f"<{min(count, most)}i", self.data, start)

    def longs(self, field: int, most: int = MAX_ENTRIES) -> tuple[int, ...]:
        """Return the first `most` of a vector of signed numbers of 64 bits."""
        start, count = self._vector(field, 8, MAX_ENTRIES)
        return struct.unpack_from(f"<{min(count, most)}q", self.data, start)

    def floats(self, field: int, most: int = MAX_ENTRIES) -> tuple[float, ...]:
        """Return the first `most` of a vector of floats of 32 bits."""
        start, count = self._vector(field, 4, MAX_ENTRIES)
        return struct.unpack_from(f"<{min(count, most)}f", self.data, start)

    def raw(self, field: int) -> bytes:
        """Return a vector of bytes, which may be long."""
        start, size = self._vector(field, 1, None)
        return self.data[start : start + size]

    def count(self, field: int) -> int:
        """Return the number of entries of a vector of bytes, or of anything longer."""
        return self._vector(field, 1, None)[1]

    def place_of(self, field: int) -> int:
        """Return where a field's value, or the offset that leads to it, is in the data; 0 if the field is left out."""
        offset = self._offset(field)
        return self.position + offset if offset else 0

    def numbers_at(self, field: int) -> tuple[int, int]:
        """Return where a vector of numbers of 32 bits begins, in bytes from the start of the data, and how many."""
        return self._vector(field, 4, MAX_ENTRIES)

    def holds(self, field: int) -> bool:
        """Return whether a vector has any entries."""
        return self.count(field) > 0

    def _vector(self, field: int, width: int, most: int | None) -> tuple[int, int]:
        """Return the begin of a vector and the number of its entries, of `width` bytes each."""
        offset = self._offset(field)
        if not offset:
            return 0, 0
        place = _indirect(self.data, self.position + offset)
        count = _number("<I", self.data, place)
        if most is not None and count > most:
            raise ValueError(f"a vector of {count} entries, at most {most}")
        _check(self.data, place + 4, count * width)
        return place + 4, count


def root(data: bytes) -> Node:
    """Return the root table."""
    return Node(data, _indirect(data, 0))


def _number(code: str, data: bytes, place: int) -> int:
    # struct reads a negative place from the end of the data.
    if place < 0:
        raise ValueError("an offset leads in front of the data")
    return struct.unpack_from(code, data, place)[0]  # type: ignore[no-any-return]


def _indirect(data: bytes, place: int) -> int:
    return place + _number("<I", data, place)


def _check(data: bytes, start: int, size: int) -> None:
    if start < 0 or start + size > len(data):
        raise ValueError(f"{size} bytes at {start} of {len(data)}")

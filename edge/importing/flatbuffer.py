"""Read tables of a flatbuffer, by the numbers of their fields, from bytes that may be damaged or hostile."""

import struct

from edge.errors import INSTALL_DEVICE, MissingPackageError

# EfficientDet-Lite3 has some 700 operators and 1,500 tensors. A vector may claim 2^32 entries, and many tables may
# point at one long vector: no more than these are read of any.
MAX_ENTRIES = 50_000
_MAX_TEXT = 1000
# What reading damaged bytes raises.
DAMAGED = (struct.error, IndexError, ValueError, TypeError, OverflowError)


class Node:
    """A flatbuffer table with field access by number. A field that is left out reads as zero or empty.

    Every access may raise one of DAMAGED.
    """

    # The Python flatbuffers checks bounds, so that damaged bytes raise an error and do not crash.
    def __init__(self, data: bytes, position: int) -> None:
        try:
            from flatbuffers.table import Table
        except ImportError as error:
            raise MissingPackageError(f"reading a .tflite's metadata needs flatbuffers: {INSTALL_DEVICE}") from error
        self.data, self.position = data, position
        self._table = Table(data, position)

    def _offset(self, field: int) -> int:
        return int(self._table.Offset(4 + 2 * field))

    def byte(self, field: int) -> int:
        """Return an unsigned byte."""
        offset = self._offset(field)
        return self.data[self.position + offset] if offset else 0

    def number(self, field: int) -> int:
        """Return an unsigned number of 32 bits."""
        offset = self._offset(field)
        return int(struct.unpack_from("<I", self.data, self.position + offset)[0]) if offset else 0

    def child(self, field: int) -> "Node | None":
        """Return the table that a field holds."""
        offset = self._offset(field)
        if not offset:
            return None
        return Node(self.data, int(self._table.Indirect(self.position + offset)))

    def text(self, field: int) -> str:
        """Return a text; bytes that are not UTF-8 become U+FFFD."""
        offset = self._offset(field)
        if not offset:
            return ""
        start = int(self._table.Indirect(self.position + offset))
        size = int(struct.unpack_from("<I", self.data, start)[0])
        if size > _MAX_TEXT:
            raise ValueError(f"a name of {size} bytes")
        return self.data[start + 4 : start + 4 + size].decode("utf-8", "replace")

    def nodes(self, field: int) -> "list[Node]":
        """Return the tables of a vector of tables."""
        start, count = self.vector(field)
        return [Node(self.data, int(self._table.Indirect(start + 4 * i))) for i in range(count)]

    def numbers(self, field: int, most: int = MAX_ENTRIES) -> tuple[int, ...]:
        """Return the first `most` of a vector of signed numbers of 32 bits."""
        start, count = self.vector(field)
        return struct.unpack_from(f"<{min(count, most)}i", self.data, start)

    def floats(self, field: int) -> tuple[float, ...]:
        """Return a vector of floats of 32 bits."""
        start, count = self.vector(field)
        return struct.unpack_from(f"<{count}f", self.data, start)

    def longs(self, field: int) -> tuple[int, ...]:
        """Return a vector of signed numbers of 64 bits."""
        start, count = self._vector(field)
        return struct.unpack_from(f"<{count}q", self.data, start)

    def raw(self, field: int) -> bytes:
        """Return a vector of bytes, which may be long."""
        offset = self._offset(field)
        if not offset:
            return b""
        start = int(self._table.Vector(offset))
        return self.data[start : start + int(self._table.VectorLen(offset))]

    def holds(self, field: int) -> bool:
        """Return whether a vector has any entries."""
        offset = self._offset(field)
        return bool(offset) and int(self._table.VectorLen(offset)) > 0

    def vector(self, field: int) -> tuple[int, int]:
        """Return the place of a vector's first entry, in bytes from the start, and how many there are."""
        offset = self._offset(field)
        if not offset:
            return 0, 0
        start, count = int(self._table.Vector(offset)), int(self._table.VectorLen(offset))
        if count > MAX_ENTRIES:
            raise ValueError(f"a vector of {count} entries, at most {MAX_ENTRIES}")
        return start, count


def root(data: bytes) -> Node:
    """Return the root table."""
    return Node(data, int(struct.unpack_from("<I", data, 0)[0]))

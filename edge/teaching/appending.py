"""Change a flatbuffer by writing new tables behind it, and leading the old fields to them.

All offsets of a flatbuffer but those to vtables lead forward, so what is written behind its end can be reached from
every table in it. No table moves, and nothing has to be known of those that stay. What is no longer reached stays as
dead bytes: for a last layer of six classes some 8 KB.
"""

import struct

from edge.errors import ModelError
from edge.flatbuffer import Node

# Buffers of constants begin at a multiple of this (force_align of Buffer.data in TensorFlow's schema.fbs), and all
# else needs less.
_ALIGN = 16


class Appender:
    """The bytes of a flatbuffer under change. Places of tables in it stay, so that a Node read before remains valid."""

    def __init__(self, data: bytes) -> None:
        self._data = bytearray(data)

    def vector(self, owner: Node, field: int, content: bytes, width: int) -> None:
        """Replace a vector of numbers, each of `width` bytes. Raises ModelError if `owner` has none."""
        self._lead(owner, field, self._add_vector(content, width))

    def text(self, owner: Node, field: int, content: str) -> None:
        """Replace a text. Raises ModelError if `owner` has none."""
        data = content.encode()
        self._lead(owner, field, self._add_vector(data, 1))
        self._data += b"\0"

    def number(self, place: int, code: str, value: float) -> None:
        """Write a number, by its code in `struct`, at a place of the data."""
        struct.pack_into(code, self._data, place, value)

    def quantization(self, tensor: Node, scales: bytes, zero_points: bytes) -> None:
        """Give a tensor a table QuantizationParameters of its own: scales float32, zero points int64, along axis 0."""
        # Fields 2 and 3 are vectors; the axis, 6, is left out, as 0 is its default.
        slots = struct.pack("<6H", 12, 12, 0, 0, 4, 8)
        self._pad_to(4)
        vtable = len(self._data)
        self._data += slots
        self._pad_to(4)
        table = len(self._data)
        self._data += struct.pack("<iII", table - vtable, 0, 0)
        for place, content, width in ((table + 4, scales, 4), (table + 8, zero_points, 8)):
            self.number(place, "<I", self._add_vector(content, width) - place)
        self._lead(tensor, 4, table)

    def finish(self) -> bytes:
        """Return the changed flatbuffer."""
        self._pad_to(_ALIGN)
        return bytes(self._data)

    def _add_vector(self, content: bytes, width: int) -> int:
        """Append a vector; return where its length stands."""
        self._data += b"\0" * (-(len(self._data) + 4) % _ALIGN)
        place = len(self._data)
        self._data += struct.pack("<I", len(content) // width) + content
        return place

    def _lead(self, owner: Node, field: int, target: int) -> None:
        place = owner.place_of(field)
        if not place:
            raise ModelError(f"field {field} of one of its tables is left out: it cannot be changed here")
        self.number(place, "<I", target - place)

    def _pad_to(self, multiple: int) -> None:
        self._data += b"\0" * (-len(self._data) % multiple)

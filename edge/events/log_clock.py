"""Frame the pieces of a score log, and hold in some of them what the clock read: without NumPy, for the recorder.

A worker that writes scores knows the wall clock, and not whether it can be trusted. The recorder knows, and puts a
piece of its own before the scores: once in each file and boot, and whenever the clock is mended.
"""

import math
import struct
import zlib

import msgspec

from edge.decoding import DecodingError, decode_msgpack
from edge.events.wall_clock import ClockReading

# Magic, length and CRC-32 of what follows.
HEAD = struct.Struct("<4sII")
CLOCK_MAGIC = b"FSC1"
# A change of offset that people would notice; a clock that is slewed stays below it.
_FINE_S = 0.1


class ClockPiece(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the clock read at `mono_s` of this boot."""

    boot: str
    mono_s: float
    reading: ClockReading

    def replaces(self, other: "ClockPiece | None") -> bool:
        """Return whether it holds anything new."""
        return (
            other is None
            or (other.boot, other.reading.quality) != (self.boot, self.reading.quality)
            or abs(other.reading.offset_s - self.reading.offset_s) >= _FINE_S
        )

    def packed(self) -> bytes:
        """Return it as a piece of a score log."""
        return framed(CLOCK_MAGIC, msgspec.msgpack.encode(self))


def framed(magic: bytes, content: bytes) -> bytes:
    """Return a piece of a score log."""
    return HEAD.pack(magic, len(content), zlib.crc32(content)) + content


def unpacked(content: bytes) -> ClockPiece | None:
    """Return the piece that has this content, None if it is none."""
    try:
        piece = decode_msgpack(content, ClockPiece)
    except DecodingError:
        return None
    return piece if math.isfinite(piece.mono_s) and math.isfinite(piece.reading.offset_s) else None

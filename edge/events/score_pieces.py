"""Define the pieces of a score log that hold scores, without NumPy, for those who only look something up in it."""

import math
import zlib

import msgspec

from edge.decoding import DecodingError, decode_msgpack

MAGIC = b"FSL1"
BEST = 8
LABELS = 256  # of a piece: the index of one takes a byte
SCALE = 65535.0
TICKS = 10_000.0  # a second
# What is read: whatever a file claims, no more memory than this.
MOST_LENGTH = 1 << 20
_MOST_INFLATED = 4 << 20


class Body(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A piece.

    bundle: the bundle's id. life_s: when the writer's first frame was captured: with the bundle it distinguishes one
        life of a worker from the next. labels, thresholds: those that occur. is_whole: they are all labels.
    mono_s, wall_s: of the first frame. ticks: uint32 (frames,), 0.1 ms since the last frame.
    indices: uint8 (frames, best), into labels; empty if is_whole. scores: uint16 (frames, best) or (frames, labels).
    """

    bundle: str
    life_s: float
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    is_whole: bool
    mono_s: float
    wall_s: float
    ticks: bytes
    indices: bytes
    scores: bytes


def decoded(packed: bytes) -> Body | None:
    """Return the content of a piece, None if it is none."""
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, _MOST_INFLATED)
        body = decode_msgpack(data, Body)
    except (zlib.error, DecodingError):
        return None
    return body if unpacker.eof and _is_sound(body) else None


def _is_sound(body: Body) -> bool:
    frames, labels = len(body.ticks) // 4, len(body.labels)
    columns = labels if body.is_whole else BEST
    numbers = (body.life_s, body.mono_s, body.wall_s, *body.thresholds)
    return (
        0 < labels <= LABELS
        and len(body.thresholds) == labels == len(set(body.labels))
        and len(body.ticks) == 4 * frames > 0
        and len(body.scores) == 2 * frames * columns
        and len(body.indices) == (0 if body.is_whole else frames * columns)
        and all(math.isfinite(number) for number in numbers)
        and max(body.indices, default=0) < labels
    )

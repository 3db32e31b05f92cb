"""Find in a score log what a label's score was while an event went on, without NumPy and without reading all of it."""

import os
import sys
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge.events.log_clock import CLOCK_MAGIC, HEAD, unpacked
from edge.events.records import Event
from edge.events.score_pieces import BEST, MAGIC, MOST_LENGTH, SCALE, TICKS, Body, decoded
from edge.results import UNKNOWN

# Shown before its begin and after its end, so that the rise and the fall can be seen.
AROUND_S = 3.0
# A week of pieces. Longer logs are not looked through while somebody waits for a page.
_MOST_PIECES = 100_000
# An hour of an event; what follows is not shown.
_MOST_READ = 360


@dataclass(slots=True)
class Curve:
    """Scores, 0..1, over seconds since the event's begin. threshold: of its label; None if the log has none."""

    seconds: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    threshold: float | None = None


def score_curve(log: Path, event: Event) -> Curve | None:
    """Return the scores of the event's label around it; None if the log and its predecessor do not hold them.

    Of an unknown thing it is the best score of any label. A damaged log ends where it is damaged.
    """
    curve = Curve()
    for path in (log.with_name(f"{log.name}.1"), log):
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            for body in _pieces(handle, event):
                _extend(curve, body, event)
        finally:
            os.close(handle)
    return curve if curve.seconds else None


def _pieces(handle: int, event: Event) -> Iterator[Body]:
    """Yield the pieces of the event's boot that reach into its time."""
    offsets = list(_offsets(handle, event.boot))

    def begin_of(offset: int) -> float:
        body = _read(handle, offset)
        return float("inf") if body is None else body.mono_s

    first = bisect_right(offsets, event.begin_mono_s - AROUND_S, key=begin_of)
    for offset in offsets[max(0, first - 1) :][:_MOST_READ]:
        body = _read(handle, offset)
        if body is None or body.mono_s > event.end_mono_s + AROUND_S:
            return
        yield body


def _offsets(handle: int, boot: str) -> Iterator[int]:
    """Yield where the pieces with scores of this boot begin, by their heads alone."""
    now, offset = None, 0
    for _ in range(_MOST_PIECES):
        head = os.pread(handle, HEAD.size, offset)
        if len(head) < HEAD.size:
            return
        magic, length, _ = HEAD.unpack(head)
        if magic not in (MAGIC, CLOCK_MAGIC) or length > MOST_LENGTH:
            return
        if magic == CLOCK_MAGIC:
            clock = unpacked(os.pread(handle, length, offset + HEAD.size))
            now = None if clock is None else clock.boot
        elif now == boot:
            yield offset
        offset += HEAD.size + length


def _read(handle: int, offset: int) -> Body | None:
    head = os.pread(handle, HEAD.size, offset)
    if len(head) < HEAD.size:  # a full disk had the recorder cut it off meanwhile
        return None
    _, length, checksum = HEAD.unpack(head)
    packed = os.pread(handle, length, offset + HEAD.size)
    return decoded(packed) if zlib.crc32(packed) == checksum else None


def _extend(curve: Curve, body: Body, event: Event) -> None:
    """Add what a piece holds of the event's time."""
    place = body.labels.index(event.label) if event.label in body.labels else None
    if place is not None:
        curve.threshold = body.thresholds[place]
    first, last = event.begin_mono_s - AROUND_S, event.end_mono_s + AROUND_S
    columns = len(body.labels) if body.is_whole else BEST
    scores, mono_s = _words("H", body.scores), body.mono_s
    for row, ticks in enumerate(_words("I", body.ticks)):
        mono_s += ticks / TICKS
        if first <= mono_s <= last:
            values = scores[row * columns : (row + 1) * columns]
            curve.seconds.append(mono_s - event.begin_mono_s)
            curve.scores.append(_score(values, body, row, place, best=event.label == UNKNOWN) / SCALE)


def _score(values: "array[int]", body: Body, row: int, place: int | None, *, best: bool) -> int:
    if best:
        return max(values)
    if place is None:  # it was among the best of none of these frames
        return 0
    if body.is_whole:
        return values[place]
    index = body.indices.find(place, row * BEST, (row + 1) * BEST)
    return 0 if index < 0 else values[index - row * BEST]


def _words(kind: str, data: bytes) -> "array[int]":
    """Return little-endian numbers: H: uint16, I: uint32."""
    found = array(kind)
    found.frombytes(data)
    if sys.byteorder == "big":
        found.byteswap()
    return found

"""Write and read the log of scores, from which `fieldfare replay` finds the events under other settings.

It is a sequence of pieces, each about ten seconds and whole in itself: a file may be cut between any two, and begun
with any. A piece is

    magic FSL1 | length | CRC-32 | zlib of: bundle, life, labels, thresholds, times, best labels, their scores

in MessagePack (Body). Between them are pieces of the recorder's that hold what the clock read (edge.events.log_clock).
Up to eight labels each frame has all scores; of more labels it has the best eight, and the
piece names only the labels that occur in it.

What is lost: scores are rounded to 1/65535, times to 0.1 ms. A label that is not among the best eight of a frame counts
as 0 in it; if scores add up to 1, it had less than 1/9. So replayed events are those of the live service, unless a mean
was that near to a threshold.
"""

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError, MissingInputError
from edge.events.log_clock import CLOCK_MAGIC, HEAD, ClockPiece, framed, unpacked
from edge.events.score_pieces import BEST, LABELS, MAGIC, MOST_LENGTH, SCALE, TICKS, Body, decoded
from edge.events.wall_clock import RELEASED_WALL_S, ClockHistory, ClockReading

_MAGICS = (MAGIC, CLOCK_MAGIC)
_PIECE_S = 10.0
# What a piece may take before it is compressed: it crosses to the supervisor and to the recorder as one message.
_MOST_BYTES = 48_000
_MOST_FRAMES = 2000

Score = NDArray[np.float32]


class ScoreLogWriter:
    """Collects the scores of one worker's life into pieces. Used by one thread.

    labels, thresholds: one for each score. bundle: its id.
    """

    def __init__(self, labels: Sequence[str], bundle: str, thresholds: Sequence[float]) -> None:
        self._labels, self._bundle, self._thresholds = labels, bundle, thresholds
        self._is_whole = len(labels) <= BEST
        self._life_s: float | None = None
        self._begin()

    def _begin(self) -> None:
        self._mono_s = self._wall_s = 0.0
        self._last_ticks = 0
        self._ticks: list[int] = []
        self._indices = bytearray()
        self._scores = bytearray()
        # Where a label of the bundle stands among those of this piece.
        self._places: dict[int, int] = {i: i for i in range(len(self._labels))} if self._is_whole else {}
        self._text = 0

    def add(self, mono_s: float, wall_s: float, scores: Score) -> bytes | None:
        """Take the scores of a frame; return a piece about every ten seconds.

        mono_s, wall_s: when it was captured, on both clocks. scores: float32 (labels,), finite, 0..1.
        """
        ticks = round((mono_s - self._mono_s) * TICKS) if self._ticks else 0
        piece = self.flush() if ticks > _PIECE_S * TICKS or self._is_full() else None
        if not self._ticks:
            self._mono_s, self._wall_s, ticks = mono_s, wall_s, 0
        if self._life_s is None:
            self._life_s = mono_s
        ticks = max(ticks, self._last_ticks)
        self._ticks.append(ticks - self._last_ticks)
        self._last_ticks = ticks
        if not self._is_whole:
            best = np.argpartition(scores, -BEST)[-BEST:]
            self._indices += bytes(self._place(index) for index in best.tolist())
            scores = scores[best]
        self._scores += np.rint(scores * np.float32(SCALE)).astype("<u2").tobytes()
        return piece

    def flush(self) -> bytes | None:
        """Return what was held back as a piece, None if there is nothing."""
        if not self._ticks or self._life_s is None:
            return None
        named = sorted(self._places, key=lambda index: self._places[index])
        body = Body(
            bundle=self._bundle,
            life_s=self._life_s,
            labels=tuple(self._labels[index] for index in named),
            thresholds=tuple(self._thresholds[index] for index in named),
            is_whole=self._is_whole,
            mono_s=self._mono_s,
            wall_s=self._wall_s,
            ticks=np.array(self._ticks, "<u4").tobytes(),
            indices=bytes(self._indices),
            scores=bytes(self._scores),
        )
        self._begin()
        packed = zlib.compress(msgspec.msgpack.encode(body), 6)
        return framed(MAGIC, packed)

    def _place(self, index: int) -> int:
        place = self._places.get(index)
        if place is None:
            place = self._places[index] = len(self._places)
            self._text += len(self._labels[index].encode(errors="replace"))
        return place

    def _is_full(self) -> bool:
        return (
            len(self._ticks) >= _MOST_FRAMES
            or len(self._scores) + self._text > _MOST_BYTES
            or (not self._is_whole and len(self._places) > LABELS - BEST)
        )


@dataclass(slots=True)
class Life:
    """What one worker logged, with one bundle.

    mono_s, wall_s: of its first frame that is there.
    is_whole: its labels are all that the bundle has.
    labels, thresholds: those that occur in any piece. places: of each label among them. offsets: of its pieces.
    boot: of the machine, if the log holds it. walls: what its pieces make of the clock, for logs that do not.
    """

    bundle: str
    mono_s: float
    wall_s: float
    is_whole: bool
    labels: list[str] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    offsets: list[int] = field(default_factory=list)
    boot: str | None = None
    walls: ClockHistory = field(default_factory=ClockHistory)

    def include(self, body: Body, offset: int) -> None:
        """Take in a piece, which begins at `offset`."""
        self.offsets.append(offset)
        was_set = body.wall_s >= RELEASED_WALL_S
        self.walls.add(body.mono_s, ClockReading(body.wall_s - body.mono_s, "rtc" if was_set else "none"))
        for label, threshold in zip(body.labels, body.thresholds, strict=True):
            if label not in self.places:
                self.places[label] = len(self.labels)
                self.labels.append(label)
                self.thresholds.append(threshold)


class ScoreLog:
    """A score log that is open for reading.

    lives: what each worker logged, in their order.
    unread: bytes at its end that are no whole piece, as a power cut leaves them.
    """

    def __init__(self, path: Path) -> None:
        """Open and check all of it. Raises MissingInputError if it cannot be read, DataError if it is damaged, other
        than at its end."""
        self._path = path
        self.lives: list[Life] = []
        self.unread = 0
        self._clocks: dict[str, ClockHistory] = {}
        try:
            self._file: BinaryIO = path.open("rb")
            self._size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise MissingInputError(f"{path}: cannot read: {error.strerror or error}") from error
        try:
            self._scan()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close it; safe to call twice."""
        self._file.close()

    def frames(self, life: Life) -> Iterator[tuple[float, float, Score]]:
        """Yield monotonic time, wall time and scores, float32 (life.labels,), of each frame."""
        for offset in life.offsets:
            body = self._read(offset)
            if not isinstance(body, Body):
                raise DataError(f"{self._path}: changed while it was read")
            yield from _frames(body, [life.places[label] for label in body.labels], len(life.labels))

    def reading(self, life: Life, mono_s: float) -> ClockReading:
        """Return what turns this moment of a life into wall time, as the store has it for events."""
        clock = life.walls if life.boot is None else self._clocks[life.boot]
        return clock.at(mono_s)

    def _scan(self) -> None:
        offset, key, boot = 0, None, None
        while offset < self._size:
            body = self._read(offset)
            if body is None:
                self.unread = self._size - offset
                break
            if isinstance(body, ClockPiece):
                boot = body.boot
                self._clocks.setdefault(boot, ClockHistory()).add(body.mono_s, body.reading)
                offset = self._file.tell()
                continue
            if key != (body.bundle, body.life_s):
                key = (body.bundle, body.life_s)
                self.lives.append(Life(body.bundle, body.mono_s, body.wall_s, body.is_whole))
            self.lives[-1].include(body, offset)
            self.lives[-1].boot = boot
            offset = self._file.tell()
        if not self.lives:
            raise DataError(f"{self._path}: not a score log, or one without a whole piece")

    def _read(self, offset: int) -> Body | ClockPiece | None:
        """Return the piece there, None if it is torn: the file ends in it, or it is damaged and the last one."""
        self._file.seek(offset)
        head = self._file.read(HEAD.size)
        if len(head) < HEAD.size:
            return None
        magic, length, checksum = HEAD.unpack(head)
        if magic not in _MAGICS or length > MOST_LENGTH:
            # A power cut may leave zeros in place of what was not written yet.
            if magic == bytes(4) and self._is_zero_from(offset):
                return None
            raise DataError(f"{self._path}: damaged at byte {offset}: no piece of a score log begins there")
        packed = self._file.read(length)
        if len(packed) < length:
            return None
        if zlib.crc32(packed) != checksum:
            if self._file.tell() == self._size or self._is_zero_from(self._file.tell()):
                return None
            raise DataError(f"{self._path}: damaged at byte {offset}: its checksum is wrong")
        body = unpacked(packed) if magic == CLOCK_MAGIC else decoded(packed)
        if body is None:
            raise DataError(f"{self._path}: the piece at byte {offset} is not one that this version writes")
        return body

    def _is_zero_from(self, offset: int) -> bool:
        self._file.seek(offset)
        while chunk := self._file.read(1 << 16):
            if chunk.count(0) != len(chunk):
                return False
        return True


def is_score_log(path: Path) -> bool:
    """Return whether the file begins like a score log; False if it is no plain file, or cannot be read."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return False
        with path.open("rb") as file:
            return file.read(len(MAGIC)) in _MAGICS
    except OSError:
        return False


def _frames(body: Body, places: list[int], count: int) -> Iterator[tuple[float, float, Score]]:
    scores = (np.frombuffer(body.scores, "<u2") / np.float64(SCALE)).astype(np.float32)
    seconds = np.cumsum(np.frombuffer(body.ticks, "<u4"), dtype=np.float64) / TICKS
    targets = np.array(places, np.intp)
    rows = scores.reshape(seconds.size, -1)
    indices = np.frombuffer(body.indices, np.uint8).reshape(seconds.size, -1)
    for number, second in enumerate(seconds.tolist()):
        values = np.zeros(count, np.float32)
        values[targets if body.is_whole else targets[indices[number]]] = rows[number]
        yield body.mono_s + second, body.wall_s + second, values

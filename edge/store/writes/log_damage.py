"""Find damage in SQLite's write-ahead log, which SQLite itself takes for the end of the log.

To SQLite the log ends before the first frame whose checksum is wrong, since that is how a power cut leaves it. A byte
that the card changed looks the same, and what was committed from there on vanishes without a word. But a power cut can
only harm the last commit, as each is synced before the next begins: if two or more end at the wrong frame or behind it,
the first of them was on the disk, and the log was damaged.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from edge.printable import counted
from edge.store.rows import COLUMNS

# https://sqlite.org/fileformat.html#walformat
_HEADER = struct.Struct(">IIIIIIII")  # magic, version, bytes of a page, checkpoints, two salts, two checksums
_FRAME = struct.Struct(">IIIIII")  # page, pages after a commit (else 0), two salts, two checksums
_SUMMED = 8  # bytes of a frame's header that count, before its page
_BIG_ENDIAN = 0x377F0683  # the magic, if checksums are computed from big-endian words; a bit less if not
_WORD = 0xFFFFFFFF
_PAGE_SIZES = {1 << power for power in range(9, 17)}
# A log is cut back to 8 MB. The checksums of so much take 0.7 s on an x86-64 core.
_MOST_BYTES = 32 << 20
_LEAF, _LEAF_HEADER = 0x0D, 8
# How the header of a row of events begins: with its own length, a byte for the type of each column, and NULL for the
# number, which is the row's key. No other table has as many columns.
_ROW_OF_EVENTS = bytes((len(COLUMNS) + 1, 0))

Sums = tuple[int, int]


class _Frame(NamedTuple):
    """ours: of this log, and not left from before it began anew. sound: its checksums follow from those that the frame
    before has. is_commit: it ends one."""

    page: bytes
    ours: bool
    sound: bool
    is_commit: bool


@dataclass(frozen=True, slots=True)
class PassedOver:
    """What lies behind the place at which SQLite ends the log. commits: that end there. last_number: of the events in
    them, 0 for none."""

    commits: int
    last_number: int

    @property
    def was_synced(self) -> bool:
        """Whether the log is damaged, and not only cut short by a power cut."""
        return self.commits > 1

    def words(self, kept: int) -> str:
        """Return what people must know. kept: the last number that is still known."""
        lost = self.last_number - kept
        events = f"{counted(lost, 'event')} up to number {self.last_number}" if lost > 0 else "no event"
        return f"the store's log was damaged: its last {counted(self.commits, 'change')} are lost, {events} among them"


def find_passed_over(log: Path) -> PassedOver | None:
    """Return what SQLite will pass over when it opens this log, None if that is nothing. The log must not be open.
    Raises OSError."""
    try:
        file = log.open("rb")
    except FileNotFoundError:
        return None
    with file:
        frames = _frames(file)
        wrong = next((frame for frame in frames if not frame.sound), None)
        behind = [frame for frame in frames if frame.sound]
    if wrong is None or not behind:
        return None
    commits = sum(frame.is_commit for frame in behind) + (wrong.ours and wrong.is_commit)
    return PassedOver(commits, max(_last_number(frame.page) for frame in behind))


def _frames(file: BinaryIO) -> Iterator[_Frame]:
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return
    magic, _, size, _, *salts, one, two = _HEADER.unpack(header)
    order = ">" if magic == _BIG_ENDIAN else "<"
    whole = size in _PAGE_SIZES and _sums(order, header[:24], (0, 0)) == (one, two)
    if size not in _PAGE_SIZES:
        return
    before = (one, two)
    for number in range(_MOST_BYTES // (_FRAME.size + size)):
        head, page = file.read(_FRAME.size), file.read(size)
        if len(page) < size:
            return
        _, commit, first, second, *sums = _FRAME.unpack(head)
        if number == 0 and not whole:
            salts = [first, second]  # SQLite passes over all of it
        ours = [first, second] == salts
        sound = ours and (number or whole) and _sums(order, head[:_SUMMED] + page, before) == tuple(sums)
        before = (sums[0], sums[1])
        yield _Frame(page, ours, bool(sound), commit > 0)


def _sums(order: str, data: bytes, before: Sums) -> Sums:
    """Return SQLite's checksums of these bytes behind what has the sums `before`."""
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    one, two = before
    for even, odd in zip(words[::2], words[1::2], strict=True):
        one = (one + even + two) & _WORD
        two = (two + odd + one) & _WORD
    return one, two


def _last_number(page: bytes) -> int:
    """Return the highest number of the events in a page, 0 if it is none of theirs."""
    if page[0] != _LEAF:
        return 0
    (cells,) = struct.unpack_from(">H", page, 3)
    found = 0
    for cell in range(min(cells, (len(page) - _LEAF_HEADER) // 2)):
        (place,) = struct.unpack_from(">H", page, _LEAF_HEADER + 2 * cell)
        _, place = _varint(page, place)  # bytes of the row
        number, place = _varint(page, place)
        if page[place : place + 2] == _ROW_OF_EVENTS:
            found = max(found, number)
    return found


def _varint(page: bytes, place: int) -> tuple[int, int]:
    """Return a number of 7 bits a byte, and the place behind it. No number of ours takes more than 8 bytes."""
    number = 0
    for byte in page[place : place + 8]:
        place += 1
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return number, place

"""Keep what is known of the wall clock through a restart of the service: nothing else shows that a person set it."""

import logging
from pathlib import Path
from typing import Annotated, Protocol

import msgspec

from edge.decoding import DecodingError, decode_json
from edge.events.records import ClockQuality
from edge.events.wall_clock import ClockReading
from edge.storage import read_bounded, replace_file

_log = logging.getLogger(__name__)

_MAX_BYTES = 1000
# Less than people can tell. The offset stays as it is unless the clock is set, so the file is hardly ever written.
_FINE_S = 0.1


class _Kept(msgspec.Struct, frozen=True):
    """boot: the id of the boot that the reading is of."""

    boot: str
    offset_s: Annotated[float, msgspec.Meta(ge=-1e11, le=1e11)]
    quality: ClockQuality


class Clock(Protocol):
    """The wall clock (edge.events.wall_clock)."""

    def look(self) -> ClockReading:
        """Read it."""

    def recall(self, reading: ClockReading) -> None:
        """Go on from a reading of earlier in this boot."""


class KeptClock:
    """A wall clock whose last reading is in a file. Used by one thread.

    A file that cannot be read or written is no fault: then the next service trusts the clock as if it were new to it.
    """

    def __init__(self, clock: Clock, file: Path, boot: str) -> None:
        """file: in memory, such as in /run. boot: the id of this boot."""
        self._clock, self._file, self._boot = clock, file, boot
        self._written: ClockReading | None = None
        kept = self._read()
        if kept is not None and kept.boot == boot:
            clock.recall(ClockReading(kept.offset_s, kept.quality))

    def look(self) -> ClockReading:
        """Read the clock, and write down what is new."""
        reading, last = self._clock.look(), self._written
        if last is None or last.quality != reading.quality or abs(last.offset_s - reading.offset_s) >= _FINE_S:
            self._write(reading)
        return reading

    def _read(self) -> _Kept | None:
        try:
            return decode_json(read_bounded(self._file, _MAX_BYTES, follow=False), _Kept)
        except FileNotFoundError:
            return None
        except (OSError, DecodingError) as error:
            _log.warning("%s: what was known of the clock cannot be read: %s", self._file, error)
            return None

    def _write(self, reading: ClockReading) -> None:
        self._written = reading  # also if it fails: once a second would be too often to try
        words = msgspec.json.encode(_Kept(self._boot, reading.offset_s, reading.quality))
        try:
            replace_file(self._file, words, 0o644, synced=False)
        except OSError as error:
            _log.warning("%s: what is known of the clock cannot be written: %s", self._file, error.strerror or error)

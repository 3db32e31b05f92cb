"""Find the wall time, and how far it can be trusted: a Raspberry Pi 4 has no clock of its own, and begins anywhere.

Nothing is timed or keyed by the wall clock. An event keeps its monotonic times; the offset found here turns them into
wall times for people, and is mended for the whole boot when a better one is found.
"""

import ctypes
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from edge.events.records import ClockQuality

# 2026-01-01 UTC, before the first release: a clock that shows less was never set. A real-time clock without a battery
# begins in 1970 or 2000.
RELEASED_WALL_S: Final = 1_767_225_600.0
# From best to worst. A person sets a clock because it is wrong, so that outranks the real-time clock that it had its
# time from. A time server outranks both, whoever came last: a hand may slip.
QUALITIES: Final[tuple[ClockQuality, ...]] = ("ntp", "hand", "rtc", "none")
# No time server slews a clock by this much between two looks, so it was set.
_STEP_S = 1.0
# A change of offset that is remembered: less than people notice, more than a slewing clock drifts in an hour.
_FINE_S = 0.1
_MOST_READINGS = 256
# Both clocks are read again if this process was held up between them: that would look like a step.
_HELD_UP_S = 0.05
_TRIES = 5
# How far a crystal may run away since the boot (100 ppm), and what two of them may differ by from the start.
_DRIFT = 1e-4
_RTC_APART_S = 5.0

_STA_UNSYNC = 0x0040  # linux/timex.h
_TIME_ERROR = 5
# struct timex begins with modes, offset, freq, maxerror, esterror, status. Native sizes and alignment: `long` has 4
# bytes on 32-bit systems, whose adjtimex takes the old struct whatever the size of time_t.
_TIMEX_HEAD = struct.Struct("@I4li")
_TIMEX_BYTES = 512  # the whole struct has 208 at most


class ClockReading(msgspec.Struct, frozen=True):
    """offset_s: wall time minus monotonic time. quality: how far it can be trusted."""

    offset_s: float
    quality: ClockQuality


def better(one: ClockQuality, other: ClockQuality) -> bool:
    """Return whether `one` is more trustworthy than `other`."""
    return QUALITIES.index(one) < QUALITIES.index(other)


def worse_than(quality: ClockQuality) -> tuple[ClockQuality, ...]:
    """Return the qualities that are less trustworthy."""
    return QUALITIES[QUALITIES.index(quality) + 1 :]


def kernel_synchronized() -> bool | None:
    """Return whether the kernel's clock is kept right by a time server; None if that may not be read."""
    # Every daemon ends here: timesyncd, chrony and ntpd all clear the kernel's flag. A unit with ProtectClock refuses
    # the call, as it can set the clock, too.
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)  # modes = 0: only read
    state: int = ctypes.CDLL(None).adjtimex(buffer)
    if state < 0:
        return None
    status: int = _TIMEX_HEAD.unpack_from(buffer)[5]
    return state != _TIME_ERROR and not status & _STA_UNSYNC


def timesyncd_touched_ns(file: str = "/run/systemd/timesync/synchronized") -> int | None:
    """Return when systemd-timesyncd last found the time, as its file's time of change; None if it did not."""
    try:
        return os.stat(file).st_mtime_ns  # noqa: PTH116 - once a second, and pathlib takes three times as long
    except OSError:
        return None


def rtc_wall_s(root: Path = Path("/sys/class/rtc")) -> float | None:
    """Return the present time of the real-time clock that set the kernel's clock at the boot; None if none did."""
    for clock in sorted(root.glob("rtc*")):
        try:
            if (clock / "hctosys").read_text().strip() == "1":
                return float((clock / "since_epoch").read_text())
        except (OSError, ValueError):  # unplugged, or its battery failed and it reports no time
            continue
    return None


def read_clocks(
    monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
) -> tuple[float, float]:
    """Return (monotonic seconds, wall seconds) of one moment."""
    for _ in range(_TRIES):
        begin_s, wall_s = monotonic(), wall()
        if monotonic() - begin_s < _HELD_UP_S:
            break
    return begin_s, wall_s


class WallClock:
    """Judges how far the wall clock can be trusted, from one look to the next. Used by one thread.

    - "ntp": a time server keeps it right.
    - "rtc": it runs on by itself and was right when it began: set at the boot by a real-time clock that still agrees,
      or by a time server that is not heard any more. It drifts by a second or two a day.
    - "hand": a person set it while this process looked.
    - "none": anything else, and every time before RELEASED_WALL_S. The time that fake-hwclock or timesyncd kept from
      the last boot is such a one: plausible and wrong.
    """

    def __init__(
        self,
        *,
        clocks: Callable[[], tuple[float, float]] = read_clocks,
        kernel: Callable[[], bool | None] = kernel_synchronized,
        timesyncd: Callable[[], int | None] = timesyncd_touched_ns,
        rtc: Callable[[], float | None] = rtc_wall_s,
    ) -> None:
        self._clocks, self._kernel, self._timesyncd, self._rtc = clocks, kernel, timesyncd, rtc
        self._offset_s: float | None = None
        self._free_running: ClockQuality = "none"
        self._touched_ns: int | None = None
        self._distrusted_ns: int | None = None

    def recall(self, reading: ClockReading) -> None:
        """Go on from a reading of earlier in this boot, by a process that this one replaces: call it once, at the
        start. If the clock was set between the two, that was a person, as between two looks."""
        # No time server's slewing changes the offset: the kernel slews both clocks. Only a step does.
        self._offset_s = reading.offset_s
        self._free_running = "rtc" if reading.quality == "ntp" else reading.quality

    def look(self) -> ClockReading:
        """Read the clocks, once a second or so: a person's setting is found by its step between two looks."""
        mono_s, wall_s = self._clocks()
        offset_s = wall_s - mono_s
        first = self._offset_s is None
        stepped = self._offset_s is not None and abs(offset_s - self._offset_s) > _STEP_S
        self._offset_s = offset_s
        synchronized = self._synchronized(stepped)
        if synchronized:
            self._free_running = "rtc"
        elif stepped:
            self._free_running = "hand"
        elif first and self._set_by_rtc(mono_s, wall_s):
            self._free_running = "rtc"
        if wall_s < RELEASED_WALL_S:
            self._free_running = "none"  # what runs on from there is no better
            return ClockReading(offset_s, "none")
        return ClockReading(offset_s, "ntp" if synchronized else self._free_running)

    def _synchronized(self, stepped: bool) -> bool:
        synchronized = self._kernel()
        if synchronized is not None:
            return synchronized
        touched_ns = self._timesyncd()
        # timesyncd touches its file just after it sets the clock. A step without that is a person's, and the kernel's
        # flag, which would fall, cannot be read.
        if stepped and touched_ns == self._touched_ns:
            self._distrusted_ns = touched_ns
        self._touched_ns = touched_ns
        return touched_ns is not None and touched_ns != self._distrusted_ns

    def _set_by_rtc(self, mono_s: float, wall_s: float) -> bool:
        # It must still agree. If its battery failed, it began in 1970, and fake-hwclock or timesyncd put the time of
        # the last shutdown in its place.
        rtc_s = self._rtc()
        return rtc_s is not None and abs(rtc_s - wall_s) <= _RTC_APART_S + _DRIFT * mono_s


class ClockHistory:
    """The readings over one boot, and which of them a moment of it gets. Pure: no clock of its own.

    - The best quality wins, whenever it was read: a trusted reading mends everything of its boot.
    - Of those of the best quality, the one that held at that moment; before the first of them, the first. So what was
      recorded as trusted keeps its time when a trusted clock steps later.
    - If the best is a person's, the newest wins for the whole boot: who sets a clock twice corrects the first time.
    """

    def __init__(self) -> None:
        self._readings: list[tuple[float, ClockReading]] = []

    def add(self, mono_s: float, reading: ClockReading) -> bool:
        """Remember a reading, in the order of their times. Returns whether it mends what was before it."""
        before = [known.quality for _, known in self._readings]
        if self._readings:
            last = self._readings[-1][1]
            if last.quality == reading.quality and abs(last.offset_s - reading.offset_s) < _FINE_S:
                return False
        self._readings.append((mono_s, reading))
        if len(self._readings) > _MOST_READINGS:
            self._forget()
        if reading.quality == "hand":
            return "ntp" not in before
        return all(better(reading.quality, quality) for quality in before)

    def recall(self, reading: ClockReading) -> None:
        """Take a reading that was remembered from earlier in this boot."""
        self._readings.insert(0, (float("-inf"), reading))

    def at(self, mono_s: float) -> ClockReading:
        """Return the reading for this moment. Raises ValueError if there is none at all."""
        if not self._readings:
            raise ValueError("the clock was not read yet")
        best = min((reading.quality for _, reading in self._readings), key=QUALITIES.index)
        found: ClockReading | None = None
        for read_s, reading in self._readings:
            if reading.quality == best and (found is None or read_s <= mono_s or best == "hand"):
                found = reading
        assert found is not None
        return found

    def _forget(self) -> None:
        """Drop the oldest reading of the worst quality."""
        worst = max(self._readings, key=lambda entry: QUALITIES.index(entry[1].quality))  # the first of its equals
        self._readings.remove(worst)

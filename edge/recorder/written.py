"""Count what this process writes to disks: an SD card wears out by it."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

_log = logging.getLogger(__name__)

# The year, and the day in it.
_Day = tuple[int, int]
# What a killed recorder may forget. A page of 1 KiB for so much is 2 % more.
_NOTED_EVERY = 64_000
_DIGITS = 18


def written_bytes(account: Path = Path("/proc/self/io")) -> int | None:
    """Return how many bytes this process caused to be written since it started; None if the kernel does not count them.

    The kernel counts whole pages of files as they are changed: the store with its log, pictures and scores, but not the
    file system's own journal, nor files that live in memory.
    """
    try:
        for line in account.read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "write_bytes":
                return int(value)
    except (OSError, ValueError):
        return None
    return None


class WrittenToday:
    """What this recorder and those before it wrote since local midnight. Used by one thread.

    What those before it wrote is recalled from the words that they left in the store.

    total: by this process since it started.
    """

    def __init__(
        self, read: Callable[[], int | None] = written_bytes, local: Callable[[], time.struct_time] = time.localtime
    ) -> None:
        self._read, self._local = read, local
        self._day = self._today()
        self._before = 0
        self._earlier: tuple[_Day, int] | None = None
        self._noted = 0
        self._is_recalled = False
        self.total = 0
        if read() is None:
            _log.warning("the kernel does not count what a process writes: bytes written a day are not known")

    def recall(self, words: str) -> None:
        """Go on from what an earlier recorder left. Only the first call counts: what this one left is in it already."""
        if self._is_recalled:
            return
        self._is_recalled = True
        parts = words.split()
        if len(parts) == 3 and all(part.isascii() and part.isdecimal() and len(part) <= _DIGITS for part in parts):
            year, day, written = map(int, parts)
            # The clock may be at another day now and be set to that one later: so it is compared when it is counted.
            self._earlier = (year, day), written

    def count(self) -> int:
        """Return the bytes since midnight. To be called every few seconds: what lies between goes to the new day."""
        # A day of people, by their clock: nothing is timed by it.
        day = self._today()
        if day != self._day:
            self._day, self._before = day, self.total
        self.total = self._read() or 0
        earlier = self._earlier[1] if self._earlier is not None and self._earlier[0] == day else 0
        return earlier + self.total - self._before

    def words(self) -> str | None:
        """Return what to leave in the store with a commit that is made anyway; None if too little has changed."""
        today = self.count()
        if self.total - self._noted < _NOTED_EVERY:
            return None
        self._noted = self.total
        return f"{self._day[0]} {self._day[1]} {today}"

    def _today(self) -> _Day:
        moment = self._local()
        return moment.tm_year, moment.tm_yday

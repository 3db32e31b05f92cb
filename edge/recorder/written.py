"""Count what this process writes to disks: an SD card wears out by it."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

_log = logging.getLogger(__name__)


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
    """What was written since local midnight. Used by one thread.

    total: since the process started.
    """

    def __init__(
        self, read: Callable[[], int | None] = written_bytes, local: Callable[[], time.struct_time] = time.localtime
    ) -> None:
        self._read, self._local = read, local
        self._day = self._today()
        self._before = 0
        self.total = 0
        if read() is None:
            _log.warning("the kernel does not count what a process writes: bytes written a day are not known")

    def count(self) -> int:
        """Return the bytes since midnight. To be called every few seconds: what lies between goes to the new day."""
        # A day of people, by their clock: nothing is timed by it.
        day = self._today()
        if day != self._day:
            self._day, self._before = day, self.total
        self.total = self._read() or 0
        return self.total - self._before

    def _today(self) -> tuple[int, int]:
        moment = self._local()
        return moment.tm_year, moment.tm_yday

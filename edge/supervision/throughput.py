"""Publish results, and measure how many come and how fast."""

import time
from collections import deque
from collections.abc import Sequence

from edge.printable import counted
from edge.results import Result
from edge.sinks.base import Sink
from edge.supervision.status import Seen, Status

# Latencies for the percentiles at the end: 11 minutes at 30 frames a second, in 0.6 MB.
_KEPT = 20_000
# Long enough that one frame more or less does not show at 1 a second, short enough to see a change soon.
_RATE_OVER_S = 10.0


class Rate:
    """How fast a count grew over the last ten seconds."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, int]] = deque()

    def of(self, count: int) -> float:
        """Return the growth a second up to `count`, which is the count now; call it every few seconds."""
        now = time.monotonic()
        self._recent.append((now, count))
        while len(self._recent) > 2 and now - self._recent[1][0] >= _RATE_OVER_S:
            self._recent.popleft()
        then, before = self._recent[0]
        return (count - before) / (now - then) if now > then else 0.0


class Tally:
    """Counts results, and keeps their latencies."""

    def __init__(self) -> None:
        self.results = 0
        self.first_s = self.last_s = 0.0
        self._latencies_ms: deque[float] = deque(maxlen=_KEPT)
        self._rate = Rate()

    def add(self, result: Result) -> None:
        """Count one result."""
        self.last_s = time.monotonic()
        if not self.results:
            self.first_s = self.last_s
        self.results += 1
        self._latencies_ms.append(result.latency_ms.total)

    def recent_fps(self) -> float:
        """Return the results a second over the last ten seconds; call it every few seconds."""
        return self._rate.of(self.results)

    @property
    def fps(self) -> float:
        """Results a second between the first and the last; 0 with fewer than two."""
        elapsed = self.last_s - self.first_s
        return (self.results - 1) / elapsed if elapsed > 0 else 0.0

    def line(self, dropped: int) -> str:
        """Return one line for people. dropped: frames that newer ones replaced."""
        if not self.results:
            return "no frame was classified"
        ordered = sorted(self._latencies_ms)
        p50, p95, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99))
        return (
            f"{counted(self.results, 'frame')} classified, {self.fps:.1f} frames/s, latency capture to decision "
            f"median {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, {dropped} dropped"
        )


class Publisher:
    """Writes each result to all sinks, and counts it in `tally` and in the status. Notes there what keeps a sink from
    writing. Used by one thread."""

    def __init__(self, sinks: Sequence[Sink], status: Status, max_results: int | None) -> None:
        """max_results: as many as are requested, None for no limit."""
        self.tally = Tally()
        self._sinks, self._status, self._max_results = sinks, status, max_results
        self._note_faults()

    def use(self, sinks: Sequence[Sink]) -> None:
        """Write to other sinks from now on, and close those before."""
        before, self._sinks = self._sinks, sinks
        for sink in before:
            sink.close()
        self._note_faults()

    def has_enough(self) -> bool:
        """Return True once the last result was published that was requested."""
        return self._max_results is not None and self.tally.results >= self._max_results

    def publish(self, result: Result) -> None:
        """Count the result and write it. Raises StorageError and BrokenPipeError of a sink that cannot go on."""
        self.tally.add(result)
        self._status.counts.results += 1
        self._status.last = Seen(result.label, result.score, result.captured_wall_s, result.latency_ms.total)
        for sink in self._sinks:
            sink.write(result)
        self._note_faults()

    def _note_faults(self) -> None:
        self._status.output_fault = "; ".join(sink.fault for sink in self._sinks if sink.fault is not None) or None

"""What a run did: rate and latencies, for its status and the line at its end."""

import time
from collections import deque

from edge.results import Result

_KEPT = 20_000
_RATE_OVER_S = 10.0


class Tally:
    """Counts results as they come."""

    def __init__(self) -> None:
        self.results = 0
        self.first_s = self.last_s = 0.0
        self._latencies_ms: deque[float] = deque(maxlen=_KEPT)
        self._recent: deque[tuple[float, int]] = deque()

    def add(self, result: Result) -> None:
        """Count one result."""
        self.last_s = time.monotonic()
        if not self.results:
            self.first_s = self.last_s
        self.results += 1
        self._latencies_ms.append(result.latency_ms.total)

    def recent_fps(self) -> float:
        """Results a second over the last ten seconds; call it now and then."""
        now = time.monotonic()
        self._recent.append((now, self.results))
        while len(self._recent) > 2 and now - self._recent[1][0] >= _RATE_OVER_S:
            self._recent.popleft()
        then, results = self._recent[0]
        return (self.results - results) / (now - then) if now > then else 0.0

    @property
    def fps(self) -> float:
        """Results a second between the first and the last; 0 with fewer than two."""
        elapsed = self.last_s - self.first_s
        return (self.results - 1) / elapsed if elapsed > 0 else 0.0

    def line(self, dropped: int) -> str:
        """One line for people."""
        if not self.results:
            return "no frame was classified"
        ordered = sorted(self._latencies_ms)
        p50, p95, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99))
        return (
            f"{self.results} frames classified, {self.fps:.1f} frames/s, latency capture to decision "
            f"median {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, {dropped} dropped"
        )

"""Let the recorder hang in fsync: classification goes on, no frame is late, and nothing is lost afterwards.

    python -m tools.reliability.slow_fsync [--seconds 60]

The latency of a result counts from its frame's capture to its arrival on standard output, before the hang and during
it.
"""

import argparse
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tools.reliability.disk import Disk
from tools.reliability.judging import Judge, Verdict, read_notes
from tools.reliability.report import heading, print_table, promise
from tools.reliability.service import Service, keeps, prepare, write_settings

_PATIENCE_S = 120.0
_FPS = 30
# On a machine that is shared with others a result may come this much later than before, and no less than so much of
# the rate must come.
_LATE_S = 0.5
_LEAST_RATE = 0.95


@dataclass
class Results:
    """Of one span: results a second, and their latencies in milliseconds."""

    rate: float
    median_ms: float
    p99_ms: float
    worst_ms: float

    @classmethod
    def of(cls, seen: list[tuple[float, float]], begin_s: float, end_s: float) -> "Results":
        """seen: (captured, arrived), monotonic. Those that were captured in the span count."""
        late = np.array([1e3 * (arrived - captured) for captured, arrived in seen if begin_s <= captured < end_s])
        rate = len(late) / (end_s - begin_s)
        if not len(late):
            return cls(rate, np.inf, np.inf, np.inf)
        return cls(rate, float(np.median(late)), float(np.percentile(late, 99)), float(late.max()))

    def row(self, name: str) -> tuple[object, ...]:
        return name, f"{self.rate:.1f}", f"{self.median_ms:.1f}", f"{self.p99_ms:.1f}", f"{self.worst_ms:.0f}"


def run(folder: Path, seconds: float) -> tuple[Results, Results, Verdict, dict[str, int]]:
    """Return the results before the hang and during it, the verdict on the store, and counts of what was promised."""
    disk = Disk.at(folder, folder / "disk")
    store = disk.root / "events.db"
    prepare(folder)
    seen: list[tuple[float, float]] = []
    lock = threading.Lock()

    def on_result(result: dict[str, Any]) -> None:
        with lock:
            seen.append((result["captured_mono_s"], time.monotonic()))

    with Service(folder, write_settings(folder, store, fps=_FPS), disk.variables(mirrored=False)) as service:
        service.start(on_result=on_result)
        if service.wait_for(keeps, _PATIENCE_S) is None:
            raise SystemExit(f"slow_fsync: the service does not run: {service.log.read_text()[-2000:]}")
        time.sleep(3.0)
        begin_s = time.monotonic()
        time.sleep(seconds / 2)
        disk.fail("hang")
        hang_s, recorder = time.monotonic(), service.part("recorder")
        time.sleep(seconds)
        waiting = service.status()
        same, kept_then = service.part("recorder") == recorder, len(read_notes(service.notes, "kept"))
        disk.fail(None)
        end_s = time.monotonic()
        caught_up_s = service.wait_for(
            lambda status: keeps(status) and status.events is not None and status.events.waiting < 20, _PATIENCE_S
        )
        service.stop()
        heard, kept = read_notes(service.notes, "heard"), read_notes(service.notes, "kept")
        verdict = Judge(store, service.notes).verdict(thorough=True)
        status = service.status()
    events = status.events if status is not None else None
    most = waiting.events.waiting if waiting is not None and waiting.events is not None else 0
    print(f"{most} events waited at the end of the hang, {kept_then} had been kept; caught up after {caught_up_s} s")
    counts = {
        "events heard of and not kept at the end": len(heard.keys() - kept.keys()),
        "events or pictures given up": events.lost_events + events.lost_pictures if events is not None else 1,
        "recorders that were killed for it": int(not same),
        "caught up too late": int(caught_up_s is None),
    }
    return Results.of(seen, begin_s, hang_s), Results.of(seen, hang_s, end_s), verdict, counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long fsync hangs")
    arguments = parser.parse_args()
    print(heading())
    with tempfile.TemporaryDirectory(prefix="slow-fsync-") as name:
        before, during, verdict, counts = run(Path(name), arguments.seconds)
    print_table(
        ("", "results a second", "median ms", "99 % under ms", "worst ms"),
        [before.row("before"), during.row("while fsync hangs")],
    )
    late = during.worst_ms > max(before.worst_ms, 1e3 * _LATE_S) or during.rate < _LEAST_RATE * before.rate
    return promise(
        {
            "frames late or left out": int(late),
            **counts,
            f"{verdict.acknowledged} acknowledged events: missing": len(verdict.missing),
            "pictures missing or not as stored": len(verdict.bad_pictures),
            "databases not whole": int(verdict.whole != "ok"),
        }
    )


if __name__ == "__main__":
    sys.exit(main())

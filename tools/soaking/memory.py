"""What processes take: memory, open files, threads, and the bytes that they wrote to disks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass
class Sample:
    """The figures of all processes together.

    at: when, in the unit of whoever takes it. each: process id and resident MiB of each part. done: what they had done.
    own_mib: what no other process shares. It shows growth: PSS also grows when others that shared a library have ended.
    """

    at: float
    rss_mib: float
    pss_mib: float
    own_mib: float
    open_files: int
    threads: int
    each: dict[str, tuple[int, float]]
    done: int


FIGURES = ("rss_mib", "pss_mib", "open_files", "threads")


def look(at: float, parts: Mapping[str, int], done: int) -> Sample:
    """Sample all processes, given by part; return their sums. One that has ended does not count."""
    totals = dict.fromkeys(("Rss:", "Pss:", "Private_Clean:", "Private_Dirty:"), 0)
    files = threads = 0
    each: dict[str, tuple[int, float]] = {}
    for name, pid in parts.items():
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            files += len(list(Path(f"/proc/{pid}/fd").iterdir()))
            threads += len(list(Path(f"/proc/{pid}/task").iterdir()))
        except OSError:
            continue
        taken = {key: int(rest[0]) for key, *rest in map(str.split, lines) if key in totals}
        totals = {key: totals[key] + taken[key] for key in totals}
        each[name] = (pid, taken["Rss:"] / 1024)
    rss, pss, clean, dirty = (total / 1024 for total in totals.values())
    return Sample(at, rss, pss, clean + dirty, files, threads, each, done)


def slope(samples: Sequence[Sample], name: str) -> float:
    """Return by how much this figure grows in one unit of `at`, by least squares. Two samples at least."""
    values = [getattr(sample, name) for sample in samples]
    return float(np.polyfit([sample.at for sample in samples], np.array(values, float), 1)[0])


def longest_lived(samples: Sequence[Sample], part: str) -> list[tuple[float, float]]:
    """Return when, and the resident MiB, of that process of this part that was seen most often."""
    lives: dict[int, list[tuple[float, float]]] = {}
    for sample in samples:
        if part in sample.each:
            pid, rss_mib = sample.each[part]
            lives.setdefault(pid, []).append((sample.at, rss_mib))
    return max(lives.values(), key=len, default=[])


class Written:
    """The bytes that processes had written to disks, through all that came and went. What one wrote between the last
    look and its end is not in it."""

    def __init__(self) -> None:
        self._of: dict[int, int] = {}

    def look(self, pids: Iterable[int]) -> None:
        """Read how much each has written."""
        for pid in pids:
            try:
                lines = Path(f"/proc/{pid}/io").read_text().splitlines()
            except OSError:
                continue
            self._of[pid] = next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))

    @property
    def total(self) -> int:
        """Return the bytes."""
        return sum(self._of.values())

"""Limit the memory of a process that decodes photos, and so the number of such processes."""

import os
from pathlib import Path

# Libraries included, a transparent photo of 100 megapixels takes 2.0 GiB at its peak in Pillow, an opaque one 1.4 GiB
# (measured on x86-64, Pillow 12, 2026-11).
MEMORY_BYTES = 5 << 29


def default_workers(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Return how many fit into the available memory at their peak: at least 1, at most one a core."""
    cores = os.cpu_count() or 2
    available = _available_bytes(meminfo)
    return cores if available is None else max(1, min(cores, available // MEMORY_BYTES))


def _available_bytes(meminfo: Path) -> int | None:
    """Return MemAvailable; None if it cannot be read."""
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)

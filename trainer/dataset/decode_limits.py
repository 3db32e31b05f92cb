"""Limit the memory of a process that decodes photos, and with it the default number of such processes."""

import os
from pathlib import Path

# Decoding a 100-megapixel photo with Pillow takes 2.0 GiB at the peak if it is transparent, 1.4 GiB if it is not,
# libraries included (measured on x86-64, Pillow 12, 2026-11).
MEMORY_BYTES = 5 << 29


def default_workers(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Return the number of cores, or fewer if the available memory is less than MEMORY_BYTES for each; at least 1."""
    cores = os.cpu_count() or 2
    available = _available_bytes(meminfo)
    return cores if available is None else max(1, min(cores, available // MEMORY_BYTES))


def _available_bytes(meminfo: Path) -> int | None:
    """Return MemAvailable in bytes; None if the kernel does not report it."""
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)

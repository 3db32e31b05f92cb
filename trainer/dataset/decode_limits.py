"""How much memory a process that decodes photos may take, and so how many of them there are by default."""

import os
from pathlib import Path

# At its peak a 100-megapixel photo takes 2.0 GiB on its way through Pillow where it is transparent, 1.4 GiB
# where it is not, libraries included (measured on x86-64, Pillow 12, 2026-11).
MEMORY_BYTES = 5 << 29


def default_workers(meminfo: Path = Path("/proc/meminfo")) -> int:
    """All cores, but no more than the memory that is available can bear, each at its worst; at least 1."""
    cores = os.cpu_count() or 2
    available = _available_bytes(meminfo)
    return cores if available is None else max(1, min(cores, available // MEMORY_BYTES))


def _available_bytes(meminfo: Path) -> int | None:
    """MemAvailable; None where the kernel does not say."""
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)

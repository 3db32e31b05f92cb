"""Run a command of ours in bounded memory, with the least priority."""

import contextlib
import os
import sys

from edge.processes.child import limit_memory

# Address space is not memory: libraries reserve more than they use.
_ADDRESSES = 4 << 30
_LEAST = 19


def main() -> None:
    """Become `python -m edge WORDS`. Called with how many bytes that may allocate, and the words."""
    size, *words = sys.argv[1:]
    # A unit of systemd may forbid both calls; it has limits and a priority of its own.
    with contextlib.suppress(OSError):
        limit_memory(_ADDRESSES, int(size))
    with contextlib.suppress(OSError):
        os.nice(_LEAST)
    os.execv(sys.executable, [sys.executable, "-P", "-m", "edge", *words])


if __name__ == "__main__":
    main()

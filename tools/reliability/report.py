"""Print what was found, in tables."""

import os
import platform
import sqlite3
import time
from collections.abc import Mapping, Sequence

from edge import __version__


def heading() -> str:
    """Return on what and when this runs."""
    load = os.getloadavg()[0]
    return (
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, {platform.platform()}, {os.cpu_count()} cores (load {load:.1f}), "
        f"fieldfare {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def print_table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    print(f"| {' | '.join(map(str, head))} |")
    print(f"|{' --- |' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(map(_cell, row))} |", flush=True)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def promise(broken: Mapping[str, int]) -> int:
    """Print how often each promise was broken. Return the exit status: 1 if any was."""
    print_table(("what", "how many"), list(broken.items()))
    held = not any(broken.values())
    print("every promise was kept" if held else "A PROMISE WAS BROKEN")
    return 0 if held else 1

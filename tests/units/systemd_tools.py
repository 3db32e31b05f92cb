"""systemd's own checks of units, run as programs."""

import subprocess
from collections.abc import Callable

Analyze = Callable[..., subprocess.CompletedProcess[str]]


def analyze(*words: object) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze with these words."""
    return subprocess.run(["systemd-analyze", *map(str, words)], capture_output=True, text=True, check=False)

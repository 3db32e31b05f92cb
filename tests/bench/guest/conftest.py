"""Checks that run inside the test bench, on a Debian with cameras, with Fieldfare installed as on a device.

/bench is the folder that the host shares: the wheel, these files, the bundle, a photo.
"""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_NOBODY = 65534


@pytest.fixture
def as_nobody() -> Callable[[str], str]:
    """Runs Python source in a process without any right; the last line that it leaves on standard error."""

    def run(source: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", source],
            user=_NOBODY,
            group=_NOBODY,
            extra_groups=[],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "nothing was said"

    return run


@pytest.fixture
def run_fieldfare() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The installed command, to its end."""

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("fieldfare")), *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd="/")

    return run


@pytest.fixture
def elsewhere() -> Callable[[str], contextlib.AbstractContextManager[None]]:
    """Runs Python source in another process until it prints a line, and keeps that process until the end."""

    @contextlib.contextmanager
    def start(source: str) -> Iterator[None]:
        process = subprocess.Popen([sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert process.stdout
            assert process.stdout.readline(), "it did not come up"
            yield
        finally:
            process.kill()
            process.communicate()

    return start

"""Checks that run inside the test bench, on a Debian with cameras, with Fieldfare installed as on a device.

/bench is the folder that the host shares: the wheel, these files, the bundle, a photo.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

BENCH = Path("/bench")
_NOBODY = 65534


@pytest.fixture
def as_nobody() -> Callable[[Callable[[], object]], str]:
    """Calls what it is given in a process without any right, and hands back what that raised, as text."""

    def call(act: Callable[[], object]) -> str:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
            try:
                act()
                told = "nothing was raised"
            except BaseException as error:  # noqa: BLE001 - that is the answer
                told = f"{type(error).__name__}: {error}"
            os.write(writing, told.encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            told = pipe.read()
        os.waitpid(child, 0)
        return told

    return call


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

"""Signals that arrive while a process is being started."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from edge.processes.held_signals import signals_held
from edge.processes.process import Command, Process
from edge.processes.run import run


class Stopped(Exception):
    """What the handler raises."""


@contextmanager
def handled(number: int) -> Iterator[None]:
    """Handle a signal by an exception, as the commands do, and put the handler before it back."""

    def stop(_: int, __: FrameType | None) -> None:
        raise Stopped

    before = signal.signal(number, stop)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_end_of_the_block(number: signal.Signals) -> None:
    reached = False
    with handled(number), pytest.raises(Stopped), signals_held():
        signal.raise_signal(number)
        reached = True
    assert reached


def test_the_handlers_are_put_back_after_an_error() -> None:
    with handled(signal.SIGINT):
        before = signal.getsignal(signal.SIGINT)
        with pytest.raises(OSError, match="no such"), signals_held():
            raise OSError("no such")
        assert signal.getsignal(signal.SIGINT) is before


def test_an_ignored_signal_stays_ignored() -> None:
    """A process that is started inherits that, as behind `nohup`."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with signals_held():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_may_use_it() -> None:
    done = threading.Event()

    def work() -> None:
        with signals_held():
            done.set()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done.is_set()


def test_a_signal_during_the_start_ends_what_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    pids: list[int] = []
    start = Process.__init__

    def interrupted(self: Process, *words: object, **named: object) -> None:
        start(self, *words, **named)  # type: ignore[arg-type]
        pids.append(self.pid)
        signal.raise_signal(signal.SIGINT)

    with handled(signal.SIGINT), monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(Process, "__init__", interrupted)
        run(Command([sys.executable, "-c", "import time; time.sleep(60)"]), 60.0)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)

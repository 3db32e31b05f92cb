"""Waiting for whatever comes first."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from edge.processes.listener import Listener


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_it_returns_the_callbacks_of_what_can_be_read(
    listener: Listener, ends: tuple[socket.socket, socket.socket]
) -> None:
    heard: list[bytes] = []
    listener.add(ends[0], lambda: heard.append(ends[0].recv(9)))
    assert listener.wait(0.0) == []
    ends[1].send(b"owl")
    for callback in listener.wait(5.0):
        callback()
    assert heard == [b"owl"]


def test_what_was_removed_is_not_waited_for(listener: Listener, ends: tuple[socket.socket, socket.socket]) -> None:
    listener.add(ends[0], lambda: None)
    listener.remove(ends[0])
    listener.remove(ends[0])
    ends[1].send(b"owl")
    assert listener.wait(0.0) == []


def test_a_thread_or_a_signal_wakes_it_once(listener: Listener) -> None:
    threading.Timer(0.1, listener.wake).start()
    began_s = time.monotonic()
    (callback,) = listener.wait(30.0)
    assert time.monotonic() - began_s < 20.0
    callback()
    assert listener.wait(0.0) == []
    before = signal.signal(signal.SIGUSR1, lambda *_: listener.wake())
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert len(listener.wait(30.0)) == 1
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_waking_one_that_was_closed_is_no_error() -> None:
    listener = Listener()
    listener.close()
    listener.wake()

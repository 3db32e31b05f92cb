"""Pipes of child processes, waited for in both ways: by the system, and by a thread each."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import IO

import pytest

from edge.portable.pipes import Pipes, SelectedPipes, ThreadedPipes, open_pipes

LONG_S = 30.0
LARGE = bytes(range(256)) * 2048  # 512 KiB: no pipe holds so much


@pytest.fixture(params=[SelectedPipes, ThreadedPipes])
def pipes(request: pytest.FixtureRequest) -> Iterator[Pipes]:
    """Both ways to wait."""
    made: Pipes = request.param()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """A pipe that nobody else has: its reading and its writing end."""
    out, into = os.pipe()
    with os.fdopen(out, "rb", buffering=0) as reading, os.fdopen(into, "wb", buffering=0) as writing:
        yield reading, writing


def all_of(pipes: Pipes) -> dict[object, bytes]:
    """Read all pipes to their ends."""
    found: dict[object, bytes] = {}
    ends_s = time.monotonic() + LONG_S
    while pipes.left() and time.monotonic() < ends_s:
        for key, piece in pipes.wait(1.0):
            found[key] = found.get(key, b"") + piece
    assert not pipes.left()
    return found


def test_what_several_processes_write_comes_with_the_key_of_its_pipe(pipes: Pipes) -> None:
    code = "import sys; sys.stdout.buffer.write(sys.argv[1].encode() * 100_000)"
    with (
        subprocess.Popen([sys.executable, "-c", code, "a"], stdout=subprocess.PIPE, bufsize=0) as one,
        subprocess.Popen([sys.executable, "-c", code, "b"], stdout=subprocess.PIPE, bufsize=0) as other,
    ):
        assert one.stdout is not None
        assert other.stdout is not None
        pipes.read(one.stdout, 1)
        pipes.read(other.stdout, 2)
        assert all_of(pipes) == {1: b"a" * 100_000, 2: b"b" * 100_000}


def test_more_than_a_pipe_holds_goes_in_while_as_much_comes_out(pipes: Pipes) -> None:
    code = "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as echo:
        assert echo.stdin is not None
        assert echo.stdout is not None
        pipes.write(echo.stdin, LARGE)
        pipes.read(echo.stdout, "back")
        assert all_of(pipes) == {"back": LARGE}


def test_who_does_not_read_what_it_is_given_holds_up_nobody(pipes: Pipes) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "print('no')"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as rude:
        assert rude.stdin is not None
        assert rude.stdout is not None
        pipes.write(rude.stdin, LARGE)
        pipes.read(rude.stdout, "said")
        assert all_of(pipes)["said"].split() == [b"no"]


def test_nothing_comes_of_a_pipe_that_is_silent(pipes: Pipes, pair: tuple[IO[bytes], IO[bytes]]) -> None:
    pipes.read(pair[0], "silent")
    assert pipes.wait(0.0) == []
    assert pipes.wait(0.05) == []
    assert pipes.left() == 1


def test_an_end_comes_once(pipes: Pipes, pair: tuple[IO[bytes], IO[bytes]]) -> None:
    pipes.read(pair[0], "one")
    pair[1].close()
    assert pipes.wait(LONG_S) == [("one", b"")]
    assert pipes.wait(0.0) == []
    assert pipes.left() == 0


def test_a_wait_returns_at_most_one_piece_of_a_pipe(pipes: Pipes, pair: tuple[IO[bytes], IO[bytes]]) -> None:
    pipes.read(pair[0], "one")
    pair[1].write(b"first")
    assert pipes.wait(LONG_S) == [("one", b"first")]
    pair[1].write(b"second")
    pair[1].close()
    assert pipes.wait(LONG_S) == [("one", b"second")]
    assert pipes.wait(LONG_S) == [("one", b"")]


def test_a_pipe_that_was_dropped_is_read_no_longer(pipes: Pipes, pair: tuple[IO[bytes], IO[bytes]]) -> None:
    pipes.read(pair[0], "one")
    pipes.drop(pair[0])
    pair[1].write(b"late")
    assert pipes.wait(0.05) == []
    assert pipes.left() == 0
    pipes.drop(pair[0])  # and again


def test_this_system_selects() -> None:
    chosen = open_pipes()
    assert isinstance(chosen, SelectedPipes)
    chosen.close()

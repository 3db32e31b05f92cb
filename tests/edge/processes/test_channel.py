"""Open files that travel beside messages."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.decoding import DecodingError
from edge.processes.channel import MAX_FILES, Channel, Message, socket_pair


class Note(Message, frozen=True):
    """The only message here."""

    text: str


class Other(Message, frozen=True):
    """Is not expected."""


Line = tuple[Channel[Note], Channel[Note]]


@pytest.fixture
def line() -> Iterator[Line]:
    """Two ends."""
    one, other = (Channel[Note](end, Note, waits_to_send_s=None) for end in socket_pair())
    yield one, other
    one.close()
    other.close()


def memory_file(data: bytes) -> int:
    handle = os.memfd_create("note")
    os.write(handle, data)
    return handle


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_files_arrive_in_order_and_stay_open_at_the_sender(line: Line) -> None:
    sent = [memory_file(b"one"), memory_file(b"two")]
    line[0].send(Note("both"), sent)
    received = line[1].receive_with_files()
    assert received is not None
    message, files = received
    assert (message, [os.pread(file, 9, 0) for file in files]) == (Note("both"), [b"one", b"two"])
    for handle in sent + files:
        os.close(handle)


def test_as_many_as_allowed_travel_together(line: Line) -> None:
    handle = memory_file(b"same")
    line[0].send(Note("many"), [handle] * MAX_FILES)
    received = line[1].receive_with_files()
    assert received is not None
    assert [os.pread(file, 9, 0) for file in received[1]] == [b"same"] * MAX_FILES
    for file in [handle, *received[1]]:
        os.close(file)


def test_files_are_not_inherited_by_programs_that_are_started(line: Line) -> None:
    handle = memory_file(b"mine")
    line[0].send(Note("one"), [handle])
    received = line[1].receive_with_files()
    assert received is not None
    assert not os.get_inheritable(received[1][0])
    for file in [handle, *received[1]]:
        os.close(file)


def test_who_wants_no_files_keeps_none_open(line: Line) -> None:
    handle, before = memory_file(b"unwanted"), open_files()
    line[0].send(Note("one"), [handle])
    assert line[1].receive() == Note("one")
    assert open_files() == before
    os.close(handle)


def test_files_beside_what_is_no_message_are_closed(line: Line) -> None:
    handle, before = memory_file(b"stray"), open_files()
    line[0].send(Other(), [handle])
    with pytest.raises(DecodingError):
        line[1].receive_with_files()
    assert open_files() == before
    os.close(handle)


def test_without_waiting_a_full_line_is_refused_at_once(line: Line) -> None:
    line[0].socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with pytest.raises(BlockingIOError):
        for _ in range(10_000):
            line[0].send(Note("x" * 500), wait=False)
    assert line[1].receive() == Note("x" * 500)


def test_nothing_waiting_is_none_and_a_closed_end_is_the_end(line: Line) -> None:
    assert line[1].receive_with_files() is None
    line[0].close()
    with pytest.raises(EOFError):
        line[1].receive_with_files()

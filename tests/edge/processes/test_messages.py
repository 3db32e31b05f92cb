"""The line between supervisor and worker: every message arrives as it was sent, and nothing else is taken for one."""

import socket
import struct
import threading
from collections.abc import Iterator
from typing import get_args

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.config.running import Camera
from edge.config.settings import Settings
from edge.decoding import DecodingError
from edge.events.records import PictureInfo, Sample, Sighting
from edge.processes.messages import (
    Begin,
    Decided,
    Ended,
    Failed,
    FromWorker,
    Message,
    Pulse,
    Sampled,
    Scored,
    SetPace,
    Sighted,
    Started,
    Step,
    Stop,
    SupervisorChannel,
    ToWorker,
    Trouble,
    WorkerChannel,
    pair,
)
from edge.results import Candidate, FrameCounts, Latency, Result

RESULT = Result(
    frame=3,
    label="Eule, größte",
    score=0.5,
    top=(Candidate("Eule, größte", 0.5),),
    captured_wall_s=1.7e9,
    captured_mono_s=5.0,
    latency_ms=Latency(0.0, 1.0, 2.0, 0.5, 3.5),
    engine="litert",
    bundle="abc",
    dropped=4,
    fallback="Edge TPU lost",
)
SIGHTING = Sighting(
    number=2,
    label="Eule, größte",
    begin_mono_s=5.0,
    end_mono_s=7.5,
    peak=0.9,
    peak_mono_s=6.5,
    mean=0.7,
    frames=25,
    runner_up=Candidate("owl", 0.1),
    box=(0.1, 0.2, 0.3, 0.4),
    ended=True,
)
SAMPLE = Sample(
    captured_mono_s=5.0,
    label="owl",
    score=0.4,
    top=(Candidate("owl", 0.4),),
    reasons=("uncertain", "random"),
    width=640,
    height=480,
)
SETTINGS = Settings(bundle="birds", camera=Camera(source="synthetic", fps=10, region=(0, 0.5, 1, 0.5)))
TO_WORKER: list[Message] = [
    Begin(SETTINGS, "cpu", "Edge TPU lost: unplugged", 2.5, distrust=True),
    SetPace(None),
    SetPace(0.2),
    Stop(),
]
FROM_WORKER: list[Message] = [
    Step("classifying", "camera", float("inf")),
    Started("abc", "birds", 5, "litert", "synthetic", True, "refused", "no device"),
    Decided(RESULT),
    Sighted(SIGHTING, (PictureInfo(kind="best", captured_mono_s=6.5, width=640, height=480),)),
    Sampled(SAMPLE),
    Scored(b"\x00scores"),
    Pulse(FrameCounts(100, 3, 2, 50, 45), 0.25, 0.5),
    Trouble("unplugged", 69),
    Failed("engine", "gone", 69, "Traceback"),
    Ended("the end"),
]

Line = tuple[SupervisorChannel, WorkerChannel]


@pytest.fixture
def line() -> Iterator[Line]:
    """The supervisor's end and the worker's."""
    ours, theirs = pair()
    worker = WorkerChannel(theirs)
    yield ours, worker
    ours.close()
    worker.close()


def test_the_lists_above_leave_no_message_out() -> None:
    assert {type(message) for message in TO_WORKER} == set(get_args(ToWorker))
    assert {type(message) for message in FROM_WORKER} == set(get_args(FromWorker))


@pytest.mark.parametrize("message", TO_WORKER, ids=lambda message: type(message).__name__)
def test_orders_arrive_as_they_were_sent(line: Line, message: Message) -> None:
    supervisor, worker = line
    supervisor.send(message)
    assert worker.receive() == message
    assert worker.receive() is None


@pytest.mark.parametrize("message", FROM_WORKER, ids=lambda message: type(message).__name__)
def test_news_arrives_as_it_was_sent(line: Line, message: Message) -> None:
    supervisor, worker = line
    worker.send(message)
    assert supervisor.receive() == message
    assert supervisor.receive() is None


def test_messages_keep_their_order_and_their_boundaries(line: Line) -> None:
    supervisor, worker = line
    for message in FROM_WORKER:
        worker.send(message)
    assert [supervisor.receive() for _ in FROM_WORKER] == FROM_WORKER


def test_an_order_is_no_news(line: Line) -> None:
    supervisor, worker = line
    worker.send(Stop())
    with pytest.raises(DecodingError):
        supervisor.receive()


STEP = msgspec.msgpack.encode(Step("opening", "camera", 5.0))
# With eight things too many, of which the first is nested as deep as a packet can hold.
DEEP = bytes([STEP[0] + 8]) + STEP[1:] + b"\x91" * 60_000


def hear(data: bytes) -> None:
    """Bytes are a message or a DecodingError, and the line goes on."""
    supervisor, theirs = pair()
    with theirs, supervisor.socket:
        theirs.send(data)
        try:
            assert isinstance(supervisor.receive(), Message)
        except DecodingError:
            assert supervisor.receive() is None


@given(st.binary(min_size=1, max_size=200))
@example(msgspec.msgpack.encode(FROM_WORKER[2])[:-1])
@example(msgspec.msgpack.encode(["Pulse", 1, 2]))
@example(b"\x92\xa5Ended\xa1\xff")
@example(DEEP)
def test_no_bytes_break_the_reader(data: bytes) -> None:
    hear(data)


@given(st.sampled_from(FROM_WORKER), st.integers(0, 10**6), st.integers(0, 255))
def test_a_byte_gone_wrong_never_gives_what_is_no_message(message: Message, place: int, value: int) -> None:
    data = bytearray(msgspec.msgpack.encode(message))
    data[place % len(data)] = value
    hear(bytes(data))


def test_the_last_words_are_heard_before_the_end(line: Line) -> None:
    supervisor, worker = line
    worker.send(Ended("the end"))
    worker.close()
    assert supervisor.receive() == Ended("the end")
    for _ in range(2):
        with pytest.raises(EOFError):
            supervisor.receive()


def test_an_order_that_was_never_read_does_not_cost_the_last_words(
    line: Line,
) -> None:
    """The kernel tells of it before what was sent earlier."""
    supervisor, worker = line
    worker.send(Pulse(FrameCounts(7)))
    worker.send(Ended("the end"))
    supervisor.send(SetPace(1.0))
    worker.close()
    assert supervisor.receive() == Pulse(FrameCounts(7))
    assert supervisor.receive() == Ended("the end")
    for _ in range(2):
        with pytest.raises(EOFError):
            supervisor.receive()


def test_a_listener_that_hung_up_is_an_os_error(line: Line) -> None:
    supervisor, worker = line
    supervisor.close()
    with pytest.raises(BrokenPipeError):
        worker.send(Pulse(FrameCounts()))
    with pytest.raises(EOFError):
        worker.receive()


def send_timeout_s(end: SupervisorChannel | WorkerChannel) -> float:
    seconds, microseconds = struct.unpack(
        "ll", end.socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.calcsize("ll"))
    )
    return float(seconds + microseconds / 1e6)


def test_the_supervisor_does_not_wait_for_a_worker_that_does_not_listen(
    line: Line,
) -> None:
    supervisor, worker = line
    assert 0 < send_timeout_s(supervisor) <= 5
    supervisor.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 50_000))
    sent = 0
    with pytest.raises(BlockingIOError):
        while True:
            supervisor.send(SetPace(float(sent)))
            sent += 1
    heard = [message.fps for message in iter(worker.receive, None) if isinstance(message, SetPace)]
    assert heard == [float(number) for number in range(sent)]


def test_the_worker_waits_as_long_as_it_takes_until_its_results_are_wanted(
    line: Line,
) -> None:
    supervisor, worker = line
    assert send_timeout_s(worker) == 0  # for ever
    sender = threading.Thread(target=lambda: [worker.send(Pulse(FrameCounts(number))) for number in range(2000)])
    sender.start()
    sender.join(0.3)
    assert sender.is_alive()
    heard: list[int] = []
    while len(heard) < 2000:
        message = supervisor.receive()
        if isinstance(message, Pulse):
            heard.append(message.frames.captured)
    sender.join()
    assert heard == list(range(2000))

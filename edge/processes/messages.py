"""What worker and supervisor say to each other: typed messages over a socket that keeps their boundaries."""

import socket
import struct
from contextlib import suppress
from typing import Literal

import msgspec

from edge.config import Settings
from edge.results import Result

_MAX_BYTES = 1 << 18
# The step in which a worker that hangs or dies does so because of the Edge TPU.
OPENING_EDGETPU = "opening the Edge TPU"
# The step that has no end.
CLASSIFYING = "classifying"
_SEND_S = 2

Accelerator = Literal["none", "in use", "refused"]
Part = Literal["camera", "engine", "worker"]


class Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all messages."""


class Begin(Message, frozen=True):
    """To the worker, once, first. device overrides settings.engine.device, and fallback says why; fps: see
    Pace; distrust: the last worker's camera failed: a first frame may be an old one."""

    settings: Settings
    device: str
    fallback: str | None
    fps: float | None
    distrust: bool = False


class SetPace(Message, frozen=True):
    """To the worker: classify at most so many frames a second, None for all."""

    fps: float | None


class Stop(Message, frozen=True):
    """To the worker: end after the current frame."""


class Step(Message, frozen=True):
    """From the worker: what it does next, and after how many seconds that is hung."""

    name: str
    part: Part
    limit_s: float


class Started(Message, frozen=True):
    """From the worker: engine and camera are open. accelerator: is an Edge TPU in use, or was it refused?
    live: frames have an age, as the source does not wait for the device."""

    bundle: str
    name: str
    classes: int
    engine: str
    source: str
    live: bool
    accelerator: Accelerator
    fallback: str | None


class Decided(Message, frozen=True):
    """From the worker: one result."""

    result: Result


class Pulse(Message, frozen=True):
    """From the worker, twice a second: counts since its start, and for how long an inference has been under
    way (0: none is)."""

    captured: int
    dropped: int
    repeated: int
    inferring_s: float


class Trouble(Message, frozen=True):
    """From the worker: the camera failed with this exit status; it is tried again in `again_s` seconds."""

    why: str
    status: int
    again_s: float


class Failed(Message, frozen=True):
    """From the worker, last: it ends, and with which exit status. trace: where the error is unforeseen."""

    part: Part
    why: str
    status: int
    trace: str | None = None


class Ended(Message, frozen=True):
    """From the worker, last: the source has ended, or it was told to stop."""

    why: str


ToWorker = Begin | SetPace | Stop
FromWorker = Step | Started | Decided | Pulse | Trouble | Failed | Ended


class Channel:
    """One end of the line. One thread receives; any may send.

    Raises EOFError in `receive` and OSError in `send` where the other end is gone."""

    def __init__(self, end: socket.socket, *, at_worker: bool) -> None:
        self.socket = end
        # Not settimeout: Python would then wait in recv, too.
        self.socket.settimeout(None)
        if not at_worker:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _SEND_S, 0))
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[ToWorker | FromWorker] = msgspec.msgpack.Decoder(
            ToWorker if at_worker else FromWorker
        )

    def fileno(self) -> int:
        """For selectors."""
        return self.socket.fileno()

    def send(self, message: Message) -> None:
        """Blocks while the other end is busy: the supervisor at most 2 s (then BlockingIOError), the worker for
        as long as a reader of the results takes, as it ends with its supervisor anyway."""
        self.socket.send(self._encoder.encode(message))

    def receive(self) -> ToWorker | FromWorker | None:
        """The next message, None where none waits. Raises EOFError once the other end is closed and
        msgspec.DecodeError on bytes that are none of ours."""
        try:
            data = self._read()
        except BlockingIOError:
            return None
        if not data:
            raise EOFError("the other end is gone")
        try:
            return self._decoder.decode(data)
        except UnicodeDecodeError as error:  # which msgspec lets through
            raise msgspec.DecodeError(str(error)) from error

    def _read(self) -> bytes:
        """One packet, b"" at the end. Where the other end left one of ours unread, that is told first, as an error
        and once: what it had sent still waits behind it."""
        for _ in range(2):
            with suppress(ConnectionError):
                return self.socket.recv(_MAX_BYTES, socket.MSG_DONTWAIT)
        return b""

    def close(self) -> None:
        """Hang up; safe to call twice."""
        self.socket.close()


def pair() -> tuple[Channel, socket.socket]:
    """The supervisor's end, and the socket to hand to the worker."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(ours, at_worker=False), theirs

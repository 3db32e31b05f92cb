"""Define the messages between worker and supervisor, and the socket that carries them."""

import socket
import struct
from contextlib import suppress
from typing import Literal

import msgspec

from edge.config import Settings
from edge.results import FrameCounts, Result

# A packet longer than the buffer would be cut off. Settings and tracebacks have some kilobytes.
_MAX_BYTES = 1 << 18
# The step in which a worker that hangs or dies does so because of the Edge TPU.
OPENING_EDGETPU = "opening the Edge TPU"
# The step that has no end.
CLASSIFYING = "classifying"
# The supervisor must feed systemd's watchdog (30 s) and judge the worker; 2 s is the longest it may wait to send.
_SEND_S = 2

Accelerator = Literal["none", "in use", "refused"]
Part = Literal["camera", "engine", "gate", "worker"]


class Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all messages."""


class Begin(Message, frozen=True):
    """The supervisor's first message, sent once.

    settings: all of them.
    device: what to compute on; overrides settings.engine.device.
    fallback: why that is not the device in the settings, None if it is.
    fps: as in SetPace.
    distrust: the last worker's camera failed, so its first frame may be an old one.
    """

    settings: Settings
    device: str
    fallback: str | None
    fps: float | None
    distrust: bool = False


class SetPace(Message, frozen=True):
    """To the worker: classify at most `fps` frames a second, None for all."""

    fps: float | None


class Stop(Message, frozen=True):
    """To the worker: end after the current frame."""


class Step(Message, frozen=True):
    """From the worker: what it does next, and after how many seconds that counts as hung."""

    name: str
    part: Part
    limit_s: float


class Started(Message, frozen=True):
    """From the worker: engine and camera are open.

    bundle, name, classes: the bundle's id, its name and its number of classes.
    engine, source: as text for people.
    live: frames have an age, because the source is a camera and no file.
    accelerator: is an Edge TPU in use, or could it not be opened?
    fallback: why the engine is not the one in the settings; None if it is.
    """

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
    """From the worker, twice a second while it can: a sign that its threads run.

    frames: counts since the worker started.
    inferring_s: how long an inference has been under way, 0 if none is.
    judging_s: how long the gate has been judging a frame, 0 if it is not.
    """

    frames: FrameCounts
    inferring_s: float = 0.0
    judging_s: float = 0.0


class Trouble(Message, frozen=True):
    """From the worker: the camera failed with this exit status; the worker will open it again."""

    why: str
    status: int


class Failed(Message, frozen=True):
    """From the worker, last: an error ends it.

    part: what failed.
    why: the error, one line.
    status: the exit status of that error.
    trace: the traceback of an unforeseen error, else None.
    """

    part: Part
    why: str
    status: int
    trace: str | None = None


class Ended(Message, frozen=True):
    """From the worker, last: the source has ended, or Stop was received."""

    why: str


ToWorker = Begin | SetPace | Stop
FromWorker = Step | Started | Decided | Pulse | Trouble | Failed | Ended


class Channel:
    """One end of the socket pair. One thread receives; any thread may send.

    When the other end is closed, `receive` raises EOFError and `send` OSError.
    """

    def __init__(self, end: socket.socket, *, at_worker: bool) -> None:
        self.socket = end
        # Not settimeout(seconds): Python would then wait in recv, too, and `receive` must not wait.
        self.socket.settimeout(None)
        if not at_worker:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _SEND_S, 0))
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[ToWorker | FromWorker] = msgspec.msgpack.Decoder(
            ToWorker if at_worker else FromWorker
        )

    def fileno(self) -> int:
        """Return the file descriptor, for selectors."""
        return self.socket.fileno()

    def send(self, message: Message) -> None:
        """Send one message; blocks while the other end is busy.

        The supervisor waits at most 2 s, then BlockingIOError is raised. The worker waits as long as a slow reader
        of the results takes; it ends with its supervisor anyway.
        """
        self.socket.send(self._encoder.encode(message))

    def receive(self) -> ToWorker | FromWorker | None:
        """Return the next message, None if none is waiting. Raises EOFError once the other end is closed and
        msgspec.DecodeError for bytes that are not one of the messages."""
        try:
            data = self._read()
        except BlockingIOError:
            return None
        if not data:
            raise EOFError("the other end is closed")
        try:
            return self._decoder.decode(data)
        except UnicodeDecodeError as error:  # msgspec does not turn this one into a DecodeError
            raise msgspec.DecodeError(str(error)) from error

    def _read(self) -> bytes:
        """Return one packet, b"" at the end."""
        # If the other end closed with one of our messages unread, the kernel reports ECONNRESET first, and once. What
        # the other end had sent before still waits behind that error: hence the second try.
        for _ in range(2):
            with suppress(ConnectionError):
                return self.socket.recv(_MAX_BYTES, socket.MSG_DONTWAIT)
        return b""

    def close(self) -> None:
        """Close this end; safe to call twice."""
        self.socket.close()


def pair() -> tuple[Channel, socket.socket]:
    """Return the supervisor's end and the socket for the worker."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(ours, at_worker=False), theirs

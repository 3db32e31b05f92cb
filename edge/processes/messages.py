"""Define the messages between worker and supervisor."""

import socket
from typing import Literal

from edge.config.settings import Settings
from edge.events.records import PictureInfo, Sample, Sighting
from edge.processes.channel import Channel, Message, socket_pair
from edge.results import FrameCounts, Result

# The step in which a worker that hangs or dies does so because of the Edge TPU.
OPENING_EDGETPU = "opening the Edge TPU"
# The step that has no end.
CLASSIFYING = "classifying"
# The supervisor must feed systemd's watchdog (30 s) and judge the worker; 2 s is the longest it may wait to send.
SEND_S = 2

Accelerator = Literal["none", "in use", "refused"]
Part = Literal["camera", "engine", "gate", "worker"]


class Begin(Message, frozen=True):
    """The supervisor's first message, sent once.

    settings: all of them.
    device: what to compute on; overrides settings.engine.device.
    fallback: why that is not the device in the settings, None if it is.
    fps: as in SetPace.
    distrust: the last worker's camera failed, so its first frame may be an old one.
    run_dir: the path of the service's runtime folder, in which the newest picture is shown; None if there is none.
    """

    settings: Settings
    device: str
    fallback: str | None
    fps: float | None
    distrust: bool = False
    run_dir: bytes | None = None


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


class Sighted(Message, frozen=True):
    """From the worker: a sighting has begun, goes on (about once a second), or has ended.

    pictures: of the files that travel beside the message, in their order; only with a sighting that has ended.
    """

    sighting: Sighting
    pictures: tuple[PictureInfo, ...] = ()


class Sampled(Message, frozen=True):
    """From the worker: a frame for the next training. One file beside the message: its JPEG."""

    sample: Sample


class Scored(Message, frozen=True):
    """From the worker: a piece of the score log (edge.events.score_log), whole records."""

    piece: bytes


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
    lines: the error, a line for each fault, if it lists several; else none.
    trace: the traceback of an unforeseen error, else None.
    """

    part: Part
    why: str
    status: int
    trace: str | None = None
    lines: tuple[str, ...] = ()


class Ended(Message, frozen=True):
    """From the worker, last: the source has ended, or Stop was received."""

    why: str


ToWorker = Begin | SetPace | Stop
FromWorker = Step | Started | Decided | Sighted | Sampled | Scored | Pulse | Trouble | Failed | Ended


class SupervisorChannel(Channel["FromWorker"]):
    """The supervisor's end of the line to a worker."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__(end, FromWorker, waits_to_send_s=SEND_S)


class WorkerChannel(Channel["ToWorker"]):
    """The worker's end. It waits as long as a slow reader of the results takes; it ends with its supervisor anyway."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__(end, ToWorker, waits_to_send_s=None)


def pair() -> tuple[SupervisorChannel, socket.socket]:
    """Return the supervisor's end and the socket for the worker."""
    ours, theirs = socket_pair()
    return SupervisorChannel(ours), theirs

"""Define the messages between supervisor and recorder.

What must be kept has a **ticket**, a number that grows. The supervisor holds it, with its pictures, until the recorder
reports it as kept, and sends it again to the next recorder if this one ended. Kept twice is no harm: an event that is
there already is replaced by its newer form.
"""

import socket
from typing import Any

from edge.config.settings import Settings
from edge.events.records import ClockQuality, Event, PictureInfo, Sample
from edge.processes.channel import Channel, Message, socket_pair
from edge.processes.messages import SEND_S

BEAT_S = 5.0


class RecorderBegin(Message, frozen=True):
    """The supervisor's first message, sent once. device, boot: as in Event."""

    settings: Settings
    device: str
    boot: str


class KeepEvent(Message, frozen=True):
    """To the recorder: an event, with its pictures as files beside the message, in this order.

    One that goes on comes again and again; the recorder may keep it for the case of a power cut, and acknowledges it
    at once. One that has ended is acknowledged when it is on the disk with its pictures.
    """

    ticket: int
    event: Event
    pictures: tuple[PictureInfo, ...] = ()


class KeepSample(Message, frozen=True):
    """To the recorder: a frame for the next training, whose JPEG is the file beside the message."""

    ticket: int
    sample: Sample
    engine: str
    bundle: str


class KeepScores(Message, frozen=True):
    """To the recorder: a piece of the score log. Not acknowledged."""

    piece: bytes


class Finish(Message, frozen=True):
    """To the recorder: keep what has come, then end."""


class Kept(Message, frozen=True):
    """From the recorder: these need not be held any more."""

    tickets: tuple[int, ...]


class RecorderPulse(Message, frozen=True, kw_only=True):
    """From the recorder, about once a second while it can, and at once if `fault` changes.

    fault: why nothing can be kept at present, None if all is well.
    notice: what people must know though all is well, such as that a damaged store was set aside; None: nothing.
    events: in the store. pictures_mb, harvest_mb: what they take.
    written_bytes: by recorders to disks since local midnight, of all files. written_total_bytes: by this process.
    dropped_pictures: removed for the budget or the reserve since the service's store began.
    clock: how far the wall time can be trusted now.
    """

    fault: str | None
    notice: str | None
    events: int
    pictures_mb: float
    harvest_mb: float
    written_bytes: int
    written_total_bytes: int
    dropped_pictures: int
    clock: ClockQuality


class RecorderBeat(Message, frozen=True):
    """From a thread of the recorder that does nothing else, every BEAT_S: the process runs, though a disk may hold its
    work up for long. A process that does not even send this hangs."""


class RecorderFailed(Message, frozen=True):
    """From the recorder, last: an error ends it. status: the exit status of that error."""

    why: str
    status: int


ToRecorder = RecorderBegin | KeepEvent | KeepSample | KeepScores | Finish
FromRecorder = Kept | RecorderPulse | RecorderBeat | RecorderFailed


class RecorderLine(Channel[Any]):
    """The supervisor's end of the line to the recorder: receives FromRecorder."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__(end, FromRecorder, waits_to_send_s=SEND_S)


class RecorderChannel(Channel[Any]):
    """The recorder's end: receives ToRecorder."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__(end, ToRecorder, waits_to_send_s=None)


def recorder_pair() -> tuple[RecorderLine, socket.socket]:
    """Return the supervisor's end and the socket for the recorder."""
    ours, theirs = socket_pair()
    return RecorderLine(ours), theirs

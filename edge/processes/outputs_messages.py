"""Define the messages between supervisor and outputs, if the supervisor starts them (`fieldfare run` by hand).

The outputs end when the line is closed. Nothing of them is waited for.
"""

import socket
from typing import Any

import msgspec

from edge.config.settings import Settings
from edge.processes.channel import Channel, Message, socket_pair
from edge.processes.messages import SEND_S


class OutputsBegin(Message, frozen=True):
    """The supervisor's first and only message. device: as in Event."""

    settings: Settings
    device: str


class OutputState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One output at one moment.

    name: its section in the settings, such as "mqtt".
    fault: why nothing goes out at present, None if all is well.
    notice: what is held back or left out though events go out, None if nothing is.
    waiting: events that it has still to send.
    """

    name: str
    fault: str | None = None
    notice: str | None = None
    waiting: int = 0


class OutputsPulse(Message, frozen=True):
    """From the outputs, every few seconds while they can, and at once if a fault changes."""

    outputs: tuple[OutputState, ...]


class OutputsFailed(Message, frozen=True):
    """From the outputs, last: an error ends them. status: the exit status of that error."""

    why: str
    status: int


ToOutputs = OutputsBegin
FromOutputs = OutputsPulse | OutputsFailed


class OutputsLine(Channel[Any]):
    """The supervisor's end of the line to the outputs: receives FromOutputs."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__(end, FromOutputs, waits_to_send_s=SEND_S)


class OutputsChannel(Channel[Any]):
    """The outputs' end: receives ToOutputs."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__(end, ToOutputs, waits_to_send_s=None)


def outputs_pair() -> tuple[OutputsLine, socket.socket]:
    """Return the supervisor's end and the socket for the outputs."""
    ours, theirs = socket_pair()
    return OutputsLine(ours), theirs

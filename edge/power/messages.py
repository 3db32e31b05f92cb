"""Define the messages between the supervisor and the watch of the power supply."""

import socket
from typing import Any

from edge.config.running import Power
from edge.processes.channel import Channel, Message, socket_pair
from edge.processes.messages import SEND_S


class PowerBegin(Message, frozen=True):
    """The supervisor's only message. power: what to watch."""

    power: Power


class PowerPulse(Message, frozen=True):
    """From the watch, every 2 s and at each change. failing: the supply announces its end."""

    failing: bool


class PowerFailed(Message, frozen=True):
    """From the watch, last: an error ends it. status: the exit status of that error."""

    why: str
    status: int


class PowerLine(Channel[Any]):
    """The supervisor's end: receives PowerPulse and PowerFailed."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__(end, PowerPulse | PowerFailed, waits_to_send_s=SEND_S)


class PowerChannel(Channel[Any]):
    """The watch's end: receives PowerBegin."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__(end, PowerBegin, waits_to_send_s=None)


def power_pair() -> tuple[PowerLine, socket.socket]:
    """Return the supervisor's end and the socket for the watch."""
    ours, theirs = socket_pair()
    return PowerLine(ours), theirs

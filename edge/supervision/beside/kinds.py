"""Describe the kinds of processes that run beside the worker."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from edge.processes.channel import Channel, Message


class Failed(Protocol):
    """The last message of one that an error ends."""

    @property
    def why(self) -> str:
        """The error, one line."""

    @property
    def status(self) -> int:
        """Its exit status."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is run.

    name: in the log.
    pair: returns our end of a new line, and the socket for the process.
    failed: the message with which it reports the error that ends it.
    starting_s, silence_s: how long it may send nothing before its first message, and later.
    beat: the message with which a thread of it shows that the process runs, whatever its work waits for. It is no
        message in the sense of those two.
    hung_s: how long the beat may stay away, once one has come.
    """

    name: str
    pair: Callable[[], tuple[Channel[Any], socket.socket]]
    failed: type[Failed]
    starting_s: float
    silence_s: float
    beat: type[Message] | None = None
    hung_s: float = float("inf")

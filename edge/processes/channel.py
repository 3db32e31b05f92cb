"""Carry typed messages, and open files beside them, over a socket that keeps their boundaries."""

import array
import os
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import msgspec

from edge.decoding import DecodingError, decode

# A packet longer than the buffer would be cut off. Settings and tracebacks have some kilobytes.
_MAX_BYTES = 1 << 18
# What one message may bring along. The kernel takes 253.
MAX_FILES = 48
_FILES_BYTES = socket.CMSG_LEN(MAX_FILES * array.array("i").itemsize)

Received = TypeVar("Received")


class Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all messages."""


class Channel(Generic[Received]):
    """One end of the socket pair. One thread receives; any thread may send.

    When the other end is closed, `receive` raises EOFError and `send` OSError.
    """

    def __init__(self, end: socket.socket, kinds: Any, *, waits_to_send_s: int | None) -> None:
        """kinds: the messages that may be received, as a union type. waits_to_send_s: the longest that `send` may
        wait for the other end, None for ever."""
        self.socket = end
        # Not settimeout(seconds): Python would then wait in recv, too, and `receive` must not wait.
        self.socket.settimeout(None)
        if waits_to_send_s is not None:
            limit = struct.pack("ll", waits_to_send_s, 0)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[Received] = msgspec.msgpack.Decoder(kinds)

    def fileno(self) -> int:
        """Return the file descriptor, for selectors."""
        return self.socket.fileno()

    def send(self, message: Message, files: Sequence[int] = (), *, wait: bool = True) -> None:
        """Send one message with copies of these open files, at most MAX_FILES; they stay open here.

        Blocks while the other end is busy, as long as it may; then, or at once without `wait`, raises
        BlockingIOError.
        """
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
        self.socket.sendmsg([self._encoder.encode(message)], ancillary, 0 if wait else socket.MSG_DONTWAIT)

    def receive(self) -> Received | None:
        """Return the next message, None if none is waiting; files beside it are closed. Raises EOFError once the
        other end is closed and DecodingError for bytes that are not one of the messages."""
        received = self.receive_with_files()
        if received is None:
            return None
        message, files = received
        for file in files:
            os.close(file)
        return message

    def receive_with_files(self) -> tuple[Received, list[int]] | None:
        """Return the next message and the open files beside it, which the caller must close; None if none is waiting.

        Raises as `receive`.
        """
        try:
            data, files = self._read()
        except BlockingIOError:
            return None
        if not data:
            raise EOFError("the other end is closed")
        try:
            return decode(self._decoder, data), files
        except DecodingError:
            for file in files:
                os.close(file)
            raise

    def _read(self) -> tuple[bytes, list[int]]:
        """Return one packet with its files, b"" at the end."""
        # If the other end closed with one of our messages unread, the kernel reports ECONNRESET first, and once. What
        # the other end had sent before still waits behind that error: hence the second try.
        for _ in range(2):
            with suppress(ConnectionError):
                flags = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
                data, ancillary, _, _ = self.socket.recvmsg(_MAX_BYTES, _FILES_BYTES, flags)
                return data, _files_of(ancillary)
        return b"", []

    def close(self) -> None:
        """Close this end; safe to call twice."""
        self.socket.close()


def _files_of(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    files = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            files.frombytes(data[: len(data) - len(data) % files.itemsize])
    return list(files)


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a line for messages."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

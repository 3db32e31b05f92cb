"""The server of the pages ends when it is asked to, however early that is, and answers at once."""

import asyncio
import signal
import socket

import pytest
from starlette.applications import Starlette

from edge.pages.server import PageServer, listen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_it_begins_is_not_lost(number: signal.Signals) -> None:
    """Somebody may press Ctrl-C as soon as the address is shown, and loading takes a second on a Pi."""
    server = PageServer(Starlette())
    before = signal.signal(number, server.stop)
    try:
        signal.raise_signal(number)
        with listen("127.0.0.1", 0) as listening:
            server.serve(listening)  # else it goes on until the test's limit
    finally:
        signal.signal(number, before)


def test_an_answer_of_two_pieces_is_sent_at_once() -> None:
    """Else the second piece waits until the browser acknowledges the first, which takes it 40 ms."""

    async def at_once() -> list[int]:
        found = []

        async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            found.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()
            await writer.wait_closed()

        with listen("127.0.0.1", 0) as listening:
            async with await asyncio.start_server(accept, sock=listening):
                reader, writer = await asyncio.open_connection(*listening.getsockname()[:2])
                await reader.read()
                writer.close()
                await writer.wait_closed()
        return found

    found = asyncio.run(at_once())
    assert len(found) == 1
    assert found[0]

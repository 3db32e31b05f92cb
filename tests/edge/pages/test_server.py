"""The server of the pages ends when it is asked to, however early that is."""

import signal

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

"""Serve the pages over HTTP."""

import asyncio
import logging
import socket
import ssl
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge.errors import UnavailableError
from edge.portable.system import share_one_heap

# A phone that opens the page uses six connections.
_MOST_CONNECTIONS = 300
# Within this time a connection must bring a whole request, and then the next.
_REQUEST_S = 10.0
_KEPT_S = 5
_FINISH_S = 3
# Of TLS, before a connection is one to uvicorn; asyncio's own limit is a minute.
_HANDSHAKE_S = 10.0
_MOST_HEAD = 16 << 10


class _Impatient(H11Protocol):
    """Closes connections that say nothing, or too slowly: uvicorn waits for them for ever."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait()

    def _wait(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(_REQUEST_S, self._look)

    def _look(self) -> None:
        """Close it if no whole request came; if one is being answered, look again later."""
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            self.transport.close()
        else:
            self._wait()


def listen(address: str, port: int) -> socket.socket:
    """Return a listening socket. Raises UnavailableError if the port is taken or the address is not this machine's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # TCP by name, as asyncio sends at once (TCP_NODELAY) only then. An answer is two pieces, head and body: the second
    # would wait 40 ms for the browser to acknowledge the first.
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((address, port))
        opened.listen(64)
    except OSError as error:
        opened.close()
        fix = "choose another --port" if port else "check the address"
        raise UnavailableError(f"{address} port {port}: cannot listen: {error.strerror or error}: {fix}") from error
    return opened


class _ImpatientLoop(asyncio.SelectorEventLoop):
    """Serves over TLS, and closes connections that never come to an end with its handshake."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__()
        self._context = context

    async def create_server(self, *words: Any, **given: Any) -> asyncio.Server:
        """See asyncio."""
        secured = {**given, "ssl": self._context, "ssl_handshake_timeout": _HANDSHAKE_S}
        return await super().create_server(*words, **secured)


class PageServer:
    """Serves an application over HTTP until SIGINT, SIGTERM or `stop`. context: for TLS; None: without."""

    def __init__(self, app: ASGIApp, context: ssl.SSLContext | None = None) -> None:
        logging.getLogger("uvicorn").setLevel(logging.WARNING)  # that it starts and ends is said by the command
        config = uvicorn.Config(
            app,
            http=_Impatient,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nobody may claim to be someone else
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=_KEPT_S,
            timeout_graceful_shutdown=_FINISH_S,
            h11_max_incomplete_event_size=_MOST_HEAD,
        )
        self._server = uvicorn.Server(config)
        self._loop = asyncio.SelectorEventLoop if context is None else partial(_ImpatientLoop, context)

    def stop(self, number: int, frame: FrameType | None) -> None:
        """End it soon, or when it begins: a handler of signals, for commands that do something at their end.

        An exception of a handler comes anywhere, and is lost where Python can raise none, as while an object goes.
        """
        self._server.handle_exit(number, frame)

    def serve(self, listening: socket.socket) -> None:
        """Serve until the end."""
        share_one_heap()  # or each of some threads would in time hold what the longest page takes
        with asyncio.Runner(loop_factory=self._loop) as runner:
            runner.run(self._server.serve(sockets=[listening]))

"""Stand before every route: nothing is served that is not in the table, and nothing to strangers but what it opens."""

import ipaddress
from collections.abc import Awaitable, Callable, Collection
from http.cookies import CookieError, SimpleCookie
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "fieldfare"
LOGIN = "/login"
MOST_BODY = 1 << 16
_MOST_PATH = 2000
_SAFE = frozenset(("GET", "HEAD"))
# No script, style or picture but our own, none of them inside the page, and no other site's frame around it.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: a form's Origin would be null.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Refusal = Callable[[int, str], Response]


class KnowsTokens(Protocol):
    """What knows who is logged in."""

    def knows(self, token: str) -> bool:
        """Return whether this is the token of a session that has not ended."""


class Guard:
    """An ASGI application before another.

    open_paths: what strangers may see. sessions: None if no password was set; then only this machine is served, by its
    own names, so that no page of another site reaches it through a name that leads here.
    refuse: makes the page of a refusal from its status and the key of its text. cookie: in which browsers keep tokens.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        open_paths: Collection[str],
        sessions: KnowsTokens | None,
        refuse: Refusal,
        cookie: str = COOKIE,
    ) -> None:
        self._app = app
        self._open_paths = frozenset(open_paths)
        self._sessions = sessions
        self._refuse = refuse
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # nobody here opens web sockets
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = self._judge(scope, Headers(scope=scope)) or self._app
        await answer(scope, receive, _with_headers(send))

    def _judge(self, scope: Scope, headers: Headers) -> Response | None:
        """Return why a request is not served; None if it is."""
        path, method = scope["path"], scope["method"]
        if len(path) > _MOST_PATH or not path.isprintable():
            return self._refuse(404, "not_found")
        if not _is_bounded(headers):
            return self._refuse(413, "too_large")
        if self._sessions is None and not _is_this_machine(headers.get("host", "")):
            return self._refuse(403, "other_name")
        if method not in _SAFE and not _is_own_origin(scope["scheme"], headers):
            return self._refuse(403, "other_site")
        if self._sessions is None or path in self._open_paths or self._sessions.knows(token_of(headers, self._cookie)):
            return None
        return RedirectResponse(LOGIN, 303) if method in _SAFE else self._refuse(401, "logged_out")


def token_of(headers: Headers, cookie: str = COOKIE) -> str:
    """Return the token of the session that a browser sends; "" if it sends none."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(cookie)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def _is_bounded(headers: Headers) -> bool:
    length = headers.get("content-length", "0")
    return length.isascii() and length.isdecimal() and len(length) < 10 and int(length) <= MOST_BODY


def _is_this_machine(host: str) -> bool:
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_own_origin(scheme: str, headers: Headers) -> bool:
    """Return whether a change comes from our own pages, which every browser of this decade shows by one of these."""
    origin = headers.get("origin")
    if origin is not None:
        return origin == f"{scheme}://{headers.get('host', '')}"
    return headers.get("sec-fetch-site") == "same-origin"


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("Content-Security-Policy", _POLICY)  # of a page that is made elsewhere, its own
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sent

"""The application of one person's own session on a desktop: no password, but a key in the address that is opened."""

import hashlib
import hmac
import secrets

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from edge.pages.access.guard import COOKIE, LOGIN
from edge.pages.assembling import Page, assembled, sorting_pages, static_pages
from edge.pages.sorting.desk import Desk
from edge.pages.sorting.routes import ON_DESKTOP


class Key:
    """A random key that the address holds at first, then the browser."""

    def __init__(self) -> None:
        self.text = secrets.token_urlsafe(24)
        self._digest = _digest(self.text)

    def knows(self, token: str) -> bool:
        """Return whether this is the key, in a time that does not depend on how much of it is right."""
        return hmac.compare_digest(_digest(token), self._digest)


def build_own(desk: Desk, key: Key, port: int) -> ASGIApp:
    """Return the application. port: that it is served on; browsers send one port's cookies to all of a machine."""
    cookie = f"{COOKIE}-{port}"

    def let_in(_desk: Desk, _request: Request) -> Response:
        answer = RedirectResponse("/sort", 303)
        answer.set_cookie(cookie, key.text, httponly=True, samesite="strict")
        return answer

    def closed(desk: Desk, _request: Request) -> Response:
        return desk.page("sorting_closed.html", status=403)

    def start(_desk: Desk, _request: Request) -> Response:
        return RedirectResponse("/sort", 303)

    table = [
        Page("/", start, given="desk"),
        Page(opening_path(key), let_in, open=True, given="desk"),
        Page(LOGIN, closed, open=True, given="desk"),
        *sorting_pages(ON_DESKTOP),
        *static_pages(),
    ]
    return assembled(table, {"site": None, "desk": desk}, sessions=key, ended=desk.close, cookie=cookie)


def opening_path(key: Key) -> str:
    """Return the path that lets a browser in."""
    return f"/open/{key.text}"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()

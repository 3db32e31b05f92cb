"""Join routes, what their views are called with, and the guard to one application."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any, Literal

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from edge.errors import FieldfareError, MissingInputError, StorageError
from edge.pages.access.guard import COOKIE, Guard, KnowsTokens
from edge.pages.errands.errands import BusyError
from edge.pages.rendering import refusal
from edge.pages.sorting.routes import DeskRoute, in_words
from edge.pages.views.forms import FormError

# Each may hold a reader of the store; people are few, and the camera needs the cores.
_THREADS = 4
_STATIC = {
    "style.css": "text/css",
    "sorting.css": "text/css",
    "page.js": "text/javascript",
    "live.js": "text/javascript",
    "sorting.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "no-picture.svg": "image/svg+xml",
}

_log = logging.getLogger(__name__)

View = Callable[[Any, Request], Response | Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """A route. open: strangers may see it; all others are for the logged in. given: what its view is called with."""

    path: str
    view: View
    method: Literal["GET", "POST"] = "GET"
    open: bool = False
    given: Literal["site", "desk"] = "site"


def _static(name: str) -> View:
    data = files(__package__).joinpath(f"static/{name}").read_bytes()
    headers = {"Cache-Control": "private, max-age=3600"}
    return lambda _given, _request: Response(data, media_type=_STATIC[name], headers=headers)


def static_pages() -> list[Page]:
    """Return the routes of style, script and icon."""
    return [Page(f"/static/{name}", _static(name), open=True) for name in _STATIC]


def sorting_pages(routes: Collection[DeskRoute]) -> list[Page]:
    """Return routes of the sorting pages."""
    return [Page(path, in_words(view), method, given="desk") for path, view, method in routes]


def assembled(
    table: Collection[Page],
    given: Mapping[str, Any],
    *,
    sessions: KnowsTokens | None,
    begun: Callable[[], None] = lambda: None,
    ended: Callable[[], None],
    cookie: str = COOKIE,
) -> ASGIApp:
    """Return the application of some routes, behind the guard.

    given: what views are called with, by its name. begun, ended: called when the server begins and ends.
    cookie, sessions: see Guard.
    """

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        begun()
        yield
        ended()

    app = Starlette(
        routes=[Route(one.path, partial(one.view, given[one.given]), methods=[one.method]) for one in table],
        exception_handlers={FieldfareError: _ours, HTTPException: _of_starlette, Exception: _unexpected},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    open_paths = [one.path for one in table if one.open]
    return Guard(app, open_paths=open_paths, sessions=sessions, refuse=refusal, cookie=cookie)


def _ours(request: Request, error: Exception) -> Response:
    """Say what is wrong, in a page."""
    if isinstance(error, FormError):
        return refusal(400, "bad_request", detail=str(error))
    if isinstance(error, MissingInputError):
        return refusal(503, "no_store", detail=str(error))
    if isinstance(error, BusyError):
        return refusal(409, "busy", detail=str(error))
    if isinstance(error, StorageError):
        # SQLite may need room to read, too.
        return refusal(507, "not_written" if request.method == "POST" else "not_shown", detail=str(error))
    return refusal(503, "unavailable", detail=str(error))


def _of_starlette(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    key = {404: "not_found", 405: "not_found"}.get(status, "bad_request")
    return refusal(status, key)


def _unexpected(request: Request, error: Exception) -> Response:
    _log.error("page %s: %s: %s", request.url.path, type(error).__name__, error)
    return refusal(500, "broken")

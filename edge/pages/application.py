"""Join routes, views and the guard to one application."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Literal

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from edge.errors import FieldfareError, MissingInputError, StorageError
from edge.pages.access.guard import LOGIN, Guard
from edge.pages.errands.download import sweep
from edge.pages.errands.errands import BusyError
from edge.pages.places import folder_of
from edge.pages.rendering import refusal
from edge.pages.site import Site
from edge.pages.views.counts import counts_view
from edge.pages.views.events import event_view, events_view
from edge.pages.views.exports import again_view, cancel_view, download_view, exports_view, stick_view
from edge.pages.views.files import certificate_view, picture_view
from edge.pages.views.forms import FormError
from edge.pages.views.health import doctor_view, examine_view
from edge.pages.views.live import focus_view, frame_view, live_view, now_view
from edge.pages.views.login import log_in, log_out, login_page
from edge.pages.views.marking import mark_view, undo_view
from edge.pages.views.problems import problems_view
from edge.pages.views.settings import settings_view
from edge.pages.views.status import status_view

# Each may hold a reader of the store; people are few, and the camera needs the cores.
_THREADS = 4
_STATIC = {
    "style.css": "text/css",
    "page.js": "text/javascript",
    "live.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "no-picture.svg": "image/svg+xml",
}

_log = logging.getLogger(__name__)

View = Callable[[Site, Request], Response | Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """A route. open: strangers may see it; all others are for the logged in."""

    path: str
    view: View
    method: Literal["GET", "POST"] = "GET"
    open: bool = False


def _start(_site: Site, _request: Request) -> Response:
    return RedirectResponse("/events", 303)


def _static(name: str) -> View:
    data = files(__package__).joinpath(f"static/{name}").read_bytes()
    headers = {"Cache-Control": "private, max-age=3600"}
    return lambda _site, _request: Response(data, media_type=_STATIC[name], headers=headers)


def pages() -> list[Page]:
    """Return all routes. What is not here is not served."""
    return [
        Page("/", _start),
        Page("/events", events_view),
        Page("/events/marks", mark_view, "POST"),
        Page("/events/undo", undo_view, "POST"),
        Page("/events/{number}", event_view),
        Page("/events/{number}/pictures/{place}", picture_view),
        Page("/live", live_view),
        Page("/live/focus", focus_view),
        Page("/live/now", now_view),
        Page("/live/picture", frame_view),
        Page("/counts", counts_view),
        Page("/status", status_view),
        Page("/doctor", doctor_view),
        Page("/doctor", examine_view, "POST"),
        Page("/problems", problems_view),
        Page("/settings", settings_view),
        Page("/settings/certificate", certificate_view),
        Page("/exports", exports_view),
        Page("/exports/download", download_view),
        Page("/exports/stick", stick_view, "POST"),
        Page("/exports/again", again_view, "POST"),
        Page("/exports/cancel", cancel_view, "POST"),
        Page(LOGIN, login_page, open=True),
        Page(LOGIN, log_in, "POST", open=True),
        Page("/logout", log_out, "POST"),
        *(Page(f"/static/{name}", _static(name), open=True) for name in _STATIC),
    ]


def build(site: Site) -> ASGIApp:
    """Return the application."""
    table = pages()
    app = Starlette(
        routes=[_route(site, one) for one in table],
        exception_handlers={FieldfareError: _ours, HTTPException: _of_starlette, Exception: _unexpected},
        lifespan=partial(_lifespan, site),
    )
    app.router.redirect_slashes = False
    open_paths = [one.path for one in table if one.open]
    return Guard(app, open_paths=open_paths, sessions=site.sessions, refuse=refusal)


@asynccontextmanager
async def _lifespan(site: Site, _app: Starlette) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    sweep(folder_of(site.store))
    yield
    site.errands.cancel()


def _route(site: Site, one: Page) -> Route:
    return Route(one.path, partial(one.view, site), methods=[one.method])


def _ours(_request: Request, error: Exception) -> Response:
    """Say what is wrong, in a page."""
    if isinstance(error, FormError):
        return refusal(400, "bad_request", detail=str(error))
    if isinstance(error, MissingInputError):
        return refusal(503, "no_store", detail=str(error))
    if isinstance(error, BusyError):
        return refusal(409, "busy", detail=str(error))
    if isinstance(error, StorageError):
        return refusal(507, "not_written", detail=str(error))
    return refusal(503, "unavailable", detail=str(error))


def _of_starlette(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    key = {404: "not_found", 405: "not_found"}.get(status, "bad_request")
    return refusal(status, key)


def _unexpected(request: Request, error: Exception) -> Response:
    _log.error("page %s: %s: %s", request.url.path, type(error).__name__, error)
    return refusal(500, "broken")

"""The application over a store: all its routes."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from edge.pages.access.guard import LOGIN
from edge.pages.assembling import Page, assembled, sorting_pages, static_pages
from edge.pages.site import Site
from edge.pages.sorting.desk import Desk
from edge.pages.views.counts import counts_view
from edge.pages.views.events import event_view, events_view
from edge.pages.views.files import picture_view
from edge.pages.views.login import log_in, log_out, login_page
from edge.pages.views.marking import mark_view, undo_view
from edge.pages.views.status import status_view


def _start(_site: Site, _request: Request) -> Response:
    return RedirectResponse("/events", 303)


def pages() -> list[Page]:
    """Return all routes. What is not here is not served."""
    return [
        Page("/", _start),
        Page("/events", events_view),
        Page("/events/marks", mark_view, "POST"),
        Page("/events/undo", undo_view, "POST"),
        Page("/events/{number}", event_view),
        Page("/events/{number}/pictures/{place}", picture_view),
        Page("/counts", counts_view),
        Page("/status", status_view),
        Page(LOGIN, login_page, open=True),
        Page(LOGIN, log_in, "POST", open=True),
        Page("/logout", log_out, "POST"),
        *sorting_pages(),
        *static_pages(),
    ]


def build(site: Site) -> ASGIApp:
    """Return the application over a store."""
    desk = Desk.of_store(site.store, site.bundle, site.sessions)
    return assembled(pages(), {"site": site, "desk": desk}, sessions=site.sessions, ended=desk.close)

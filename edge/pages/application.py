"""The application over a store: all its routes."""

from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from edge.pages.access.guard import LOGIN
from edge.pages.assembling import Page, assembled, sorting_pages, static_pages
from edge.pages.errands.download import sweep
from edge.pages.places import folder_of
from edge.pages.site import Site
from edge.pages.sorting.desk import Desk
from edge.pages.sorting.routes import ON_DEVICE
from edge.pages.views.counts import counts_view
from edge.pages.views.events import event_view, events_view
from edge.pages.views.exports import again_view, cancel_view, download_view, exports_view, stick_view
from edge.pages.views.files import certificate_view, picture_view
from edge.pages.views.health import doctor_view, examine_view
from edge.pages.views.live import focus_view, frame_view, live_view, now_view
from edge.pages.views.login import log_in, log_out, login_page
from edge.pages.views.marking import mark_view, undo_view
from edge.pages.views.problems import problems_view
from edge.pages.views.settings import settings_view
from edge.pages.views.status import status_view
from edge.pages.views.teaching import begin_view, teach_view


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
        Page("/teach", teach_view),
        Page("/teach", begin_view, "POST"),
        *sorting_pages(ON_DEVICE),
        Page(LOGIN, login_page, open=True),
        Page(LOGIN, log_in, "POST", open=True),
        Page("/logout", log_out, "POST"),
        *static_pages(),
    ]


def build(site: Site) -> ASGIApp:
    """Return the application over a store."""
    desk = Desk.of_store(site)

    def ended() -> None:
        site.errands.cancel()
        desk.close()

    begun = partial(sweep, folder_of(site.store))
    return assembled(pages(), {"site": site, "desk": desk}, sessions=site.sessions, begun=begun, ended=ended)

"""The newest picture and how the service is; and a part of it in full resolution, to set the lens by."""

import time

import anyio
import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.pages.live.aim import MIDDLE, SIZE, SIZES, Aim
from edge.pages.live.moment import moment, shows
from edge.pages.rendering import page
from edge.pages.site import Site
from edge.pages.views.events import query_of
from edge.pages.views.forms import Fields, first, number, percentage

# The service looks for requests twice a second, and encodes within milliseconds.
_PATIENCE_S, _PAUSE_S = 2.0, 0.1


def aim_of(fields: Fields) -> Aim:
    """Return the part that an address names. Raises FormError."""
    wishes = (("x", MIDDLE), ("y", MIDDLE), ("size", SIZE))
    shares = [(percentage(first(fields, name)), wish) for name, wish in wishes]
    return Aim(*(wish if share is None else share * 100 for share, wish in shares))


def live_view(site: Site, _request: Request) -> Response:
    """Answer with the page of the newest picture."""
    return page("live.html", "live", site, moment=moment(site)[0], aim=None, part=None, sizes=SIZES)


def focus_view(site: Site, request: Request) -> Response:
    """Answer with the page by which the lens is set."""
    aim = aim_of(query_of(request))
    part = moment(site, aim)[0].picture
    return page("live.html", "live", site, moment=moment(site)[0], aim=aim, part=part, sizes=SIZES)


def now_view(site: Site, request: Request) -> Response:
    """Answer with this moment as one line of JSON, and behind it the JPEG, unless the browser has it already.

    Both in one answer: a box must lie on the picture that it belongs to, and each request takes time from the camera.
    """
    fields = query_of(request)
    had = number(first(fields, "had") or "1")
    now, live = moment(site, _aim_or_none(fields))
    jpeg = b"" if live is None or live.number == had else live.jpeg
    return Response(msgspec.json.encode(now) + b"\n" + jpeg, media_type="application/octet-stream")


async def frame_view(site: Site, request: Request) -> Response:
    """Answer with the newest picture alone, for browsers without a script; waits for the first one of its part."""
    aim, ends_s = _aim_or_none(query_of(request)), time.monotonic() + _PATIENCE_S
    while True:
        now, live = await anyio.to_thread.run_sync(moment, site, aim)
        if live is not None and shows(live, aim):
            return Response(live.jpeg, media_type="image/jpeg")
        if not now.sees or time.monotonic() > ends_s:
            return RedirectResponse("/static/no-picture.svg", 303)
        await anyio.sleep(_PAUSE_S)


def _aim_or_none(fields: Fields) -> Aim | None:
    return aim_of(fields) if {"x", "y", "size"} & fields.keys() else None

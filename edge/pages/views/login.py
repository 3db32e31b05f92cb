"""Log in and out."""

import math
import threading

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.pages.access.guard import COOKIE, token_of
from edge.pages.access.sessions import LONGEST_S
from edge.pages.rendering import page, refusal
from edge.pages.site import Site
from edge.pages.views.forms import read_form

# Each takes 16 MiB.
_one_at_a_time = threading.Lock()


def login_page(site: Site, _request: Request) -> Response:
    """Answer with the form."""
    return page("login.html", "", site, wrong=False)


async def log_in(site: Site, request: Request) -> Response:
    """Answer a password: with a session, with the form again, or with how long to wait."""
    fields = await read_form(request)
    return await run_in_threadpool(_judge, site, _address(request), fields.get("password", [""])[0])


def _judge(site: Site, address: str, given: str) -> Response:
    if site.password is None or site.sessions is None:
        return RedirectResponse("/", 303)
    with _one_at_a_time:  # also, so that many attempts at once are no more than one after another
        wait_s = math.ceil(site.attempts.wait_s(address))
        if wait_s:
            return refusal(429, "too_often", headers={"Retry-After": str(wait_s)}, detail=f"{wait_s} s")
        if not site.password.fits(given):
            site.attempts.failed(address)
            return page("login.html", "", site, status=403, wrong=True)
    site.attempts.succeeded(address)
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        COOKIE, site.sessions.begin(), max_age=int(LONGEST_S), httponly=True, samesite="strict", secure=site.secure
    )
    return answer


def log_out(site: Site, request: Request) -> Response:
    """End the session, on both sides."""
    if site.sessions is not None:
        site.sessions.end(token_of(request.headers))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=site.secure)
    return answer


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else ""

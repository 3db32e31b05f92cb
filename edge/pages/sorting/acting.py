"""What the sorting pages' forms do: decide, merge, split, take back; and bring a store's pictures in."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.pages.sorting.asked import back_of, change_of
from edge.pages.sorting.desk import Desk
from edge.pages.views.forms import Fields, FormError, first, number, read_form
from edge.sorting.changing import ConflictError
from edge.sorting.session import Session


async def change_view(desk: Desk, request: Request) -> Response:
    """Carry out what the form wants, and show what comes next."""
    fields = await read_form(request)
    return await run_in_threadpool(_change, desk, fields, desk.who(request))


def _change(desk: Desk, fields: Fields, who: str) -> Response:
    session = desk.session()
    change = change_of(fields, who)
    try:
        session.change(change)
    except ConflictError as error:
        kept = [(name, value) for name, values in fields.items() for value in values if name != "anyway"]
        return desk.page("sorting_conflict.html", status=409, kept=kept, count=error.count, here_again=back_of(fields))
    return RedirectResponse(_next(session, fields), 303)


def _next(session: Session, fields: Fields) -> str:
    """Return where to go on: the same page; from a group in which nothing is open any more, the next one that is."""
    back = back_of(fields)
    if first(fields, "of") != "group":
        return back
    here = number(first(fields, "group"))
    group = session.group(here)
    if group is not None and (group.counts["open"] or "all=yes" in back):
        return back
    before, after = session.neighbours(here)
    target = after or before
    return "/sort" if target is None else f"/sort/groups/{target}"


async def undo_view(desk: Desk, request: Request) -> Response:
    """Take the last step back."""
    fields = await read_form(request)
    return await run_in_threadpool(_undo, desk, fields, desk.who(request))


def _undo(desk: Desk, fields: Fields, who: str) -> Response:
    step = number(first(fields, "step"))
    try:
        desk.session().take_back(step, who)
    except ConflictError as error:
        raise FormError("somebody did something else meanwhile: look at the page again, then undo") from error
    return RedirectResponse(back_of(fields), 303)


def begin_view(desk: Desk, _request: Request) -> Response:
    """Bring the store's new pictures in, in the background."""
    if desk.indexing is not None:
        desk.indexing.begin(desk.session(begin=True))
    return RedirectResponse("/sort", 303)

"""The list of groups, and sheets of pictures: of a group, of a class, taken out, skipped."""

from collections.abc import Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.pages.rendering import refusal
from edge.pages.sorting.asked import GROUPS_AT_ONCE, ON_A_SHEET, Kind, page_of, sheet_of, suggested
from edge.pages.sorting.desk import Desk, NotBegunError
from edge.pages.views.forms import first, parse_fields
from edge.sorting.records import Group

_SAMPLES = 6
# One for each digit.
_BUTTONS = 9
_MOST_SUGGESTED = 200


def groups_view(desk: Desk, request: Request) -> Response:
    """Answer with a page of the groups; before anything is there, with how to begin."""
    progress = desk.indexing.progress if desk.indexing is not None else None
    try:
        session = desk.session()
    except NotBegunError:
        return desk.page("sorting_begin.html", progress=progress)
    fields = parse_fields(request.scope["query_string"])
    everything, page = first(fields, "all") == "yes", page_of(fields)
    totals = session.totals()
    if not totals.pictures or (progress is not None and progress.running):
        return desk.page("sorting_begin.html", progress=progress)
    skip = (page - 1) * GROUPS_AT_ONCE
    shown, count = session.groups(only_open=not everything, skip=skip, limit=GROUPS_AT_ONCE, samples=_SAMPLES)
    if not shown and page > 1:  # what was there is decided by now
        return RedirectResponse(_list_link(everything, max(1, -(-count // GROUPS_AT_ONCE))), 303)
    used = session.names()
    undo, seen = session.last_step()
    hints = [hint for one in shown for hint in one.hints[:1]]
    return desk.page(
        "sorting_groups.html",
        shown=shown,
        totals=totals,
        used=used,
        names=suggested([], [name for name, _ in used], [*hints, *desk.classes], _MOST_SUGGESTED),
        everything=everything,
        at=page,
        pages=-(-count // GROUPS_AT_ONCE),
        undo=undo,
        seen=seen,
        here_again=_list_link(everything, page),
        progress=progress,
    )


def _list_link(everything: bool, page: int) -> str:
    words = (["all=yes"] if everything else []) + ([f"page={page}"] if page > 1 else [])
    return f"/sort?{'&'.join(words)}" if words else "/sort"


def sheet_view(kind: Kind, desk: Desk, request: Request) -> Response:
    """Answer with a page of some pictures."""
    session = desk.session()
    sheet = sheet_of(kind, parse_fields(request.scope["query_string"]), request.path_params.get("number", ""))
    group = session.group(sheet.group) if sheet.group is not None else None
    if kind == "group" and group is None:
        return refusal(404, "no_group")
    count = session.count(sheet.part)
    pages = -(-count // ON_A_SHEET)
    if sheet.page > max(1, pages):  # what was there is decided by now
        return RedirectResponse(sheet.link(page=max(1, pages)), 303)
    used = [name for name, _ in session.names()]
    first_ones = _first_ones(group)
    undo, seen = session.last_step()
    before, after = session.neighbours(sheet.group) if sheet.group is not None else (None, None)
    return desk.page(
        "sorting_sheet.html",
        sheet=sheet,
        group=group,
        count=count,
        shown=session.pictures(sheet.part, (sheet.page - 1) * ON_A_SHEET, ON_A_SHEET),
        pages=pages,
        buttons=suggested(first_ones, used, desk.classes, _BUTTONS),
        names=suggested(first_ones, used, desk.classes, _MOST_SUGGESTED),
        before=before,
        after=after,
        undo=undo,
        seen=seen,
        here_again=sheet.link(),
    )


def _first_ones(group: Group | None) -> Sequence[str]:
    """Return what a group is most likely called: as its named pictures, or as what they may show."""
    return () if group is None else [*group.names[:1], *group.hints]


group_view = partial(sheet_view, "group")
class_view = partial(sheet_view, "class")
out_view = partial(sheet_view, "out")
skipped_view = partial(sheet_view, "skipped")

"""The addresses of the sorting pages."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Literal

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.errors import FieldfareError, StorageError
from edge.pages.errands.errands import BusyError
from edge.pages.rendering import refusal
from edge.pages.sorting.acting import begin_view, change_view, undo_view
from edge.pages.sorting.desk import Desk, NotBegunError
from edge.pages.sorting.handing_out import download_view, export_page, export_view
from edge.pages.sorting.lists import class_view, group_view, groups_view, out_view, skipped_view
from edge.pages.sorting.pictures import large_view, picture_view, small_view
from edge.pages.sorting.training import report_view, train_view, training_page
from edge.pages.views.forms import FormError
from edge.sorting.changing import RefusedError

DeskView = Callable[[Desk, Request], Response | Awaitable[Response]]
Method = Literal["GET", "POST"]

DeskRoute = tuple[str, DeskView, Method]

_EVERYWHERE: tuple[DeskRoute, ...] = (
    ("/sort", groups_view, "GET"),
    ("/sort/changes", change_view, "POST"),
    ("/sort/undo", undo_view, "POST"),
    ("/sort/groups/{number}", group_view, "GET"),
    ("/sort/class", class_view, "GET"),
    ("/sort/out", out_view, "GET"),
    ("/sort/skipped", skipped_view, "GET"),
    ("/sort/pictures/{number}", picture_view, "GET"),
    ("/sort/pictures/{number}/small", small_view, "GET"),
    ("/sort/pictures/{number}/large", large_view, "GET"),
    ("/sort/export", export_page, "GET"),
)
ON_DEVICE = (*_EVERYWHERE, ("/sort/begin", begin_view, "POST"), ("/sort/download", download_view, "GET"))
ON_DESKTOP = (
    *_EVERYWHERE,
    ("/sort/export", export_view, "POST"),
    ("/sort/training", training_page, "GET"),
    ("/sort/training", train_view, "POST"),
    ("/sort/training/report", report_view, "GET"),
)


def in_words(view: DeskView) -> DeskView:
    """Return the view with its errors answered in words of these pages; before anything is there, with how to begin."""
    if inspect.iscoroutinefunction(view):

        async def waited(desk: Desk, request: Request) -> Response:
            try:
                answer: Response = await view(desk, request)
                return answer
            except FieldfareError as error:
                return _answer(error)

        return waited

    def direct(desk: Desk, request: Request) -> Response | Awaitable[Response]:
        try:
            return view(desk, request)
        except FieldfareError as error:
            return _answer(error)

    return direct


def _answer(error: FieldfareError) -> Response:
    if isinstance(error, BusyError):  # its words are not of these pages alone
        raise error
    if isinstance(error, NotBegunError):
        return RedirectResponse("/sort", 303)
    if isinstance(error, FormError | RefusedError):
        return refusal(400, "not_done", detail=str(error))
    if isinstance(error, StorageError):
        return refusal(507, "not_written", detail=str(error))
    return refusal(503, "no_session", detail=str(error))

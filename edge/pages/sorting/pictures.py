"""One picture, and its small and large forms."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from edge.errors import MissingInputError
from edge.pages.rendering import refusal
from edge.pages.sorting.asked import suggested
from edge.pages.sorting.desk import Desk
from edge.pages.views.forms import number
from edge.pictures.names import readable_name

_SMALL, _LARGE = 200, 1000
# The number names this picture of this session for ever, but another session may be served from here.
_KEPT = "private, max-age=600"
_MOST_SUGGESTED = 200
_BUTTONS = 9


def picture_view(desk: Desk, request: Request) -> Response:
    """Answer with one picture, large, and what was decided on it."""
    session = desk.session()
    picture = session.picture(number(request.path_params["number"]))
    if picture is None:
        return refusal(404, "no_picture")
    used = [name for name, _ in session.names()]
    undo, seen = session.last_step()
    return desk.page(
        "sorting_picture.html",
        picture=picture,
        file=readable_name(picture.file.decode("utf-8", "surrogateescape")),
        buttons=suggested([picture.hint], used, desk.classes, _BUTTONS),
        names=suggested([picture.hint], used, desk.classes, _MOST_SUGGESTED),
        undo=undo,
        seen=seen,
        here_again=f"/sort/pictures/{picture.number}",
    )


def _shrunk(side: int, desk: Desk, request: Request) -> Response:
    picture = desk.session().picture(number(request.path_params["number"]))
    if picture is None:
        return refusal(404, "no_picture")
    try:
        made = desk.thumbnails.make(desk.files.path_of(picture.file), side)
    except MissingInputError:  # its budget dropped it, or its stick was pulled
        made = b""
    if not made:
        return refusal(404, "no_picture")
    return Response(made, media_type="image/jpeg", headers={"Cache-Control": _KEPT})


small_view = partial(_shrunk, _SMALL)
large_view = partial(_shrunk, _LARGE)

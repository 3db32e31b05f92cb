"""Hand out what is named, as class folders: into a folder of this machine, or as a download."""

import json
import shlex
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.errors import FieldfareError, MissingInputError, StorageError
from edge.pages.errands.download import Pieces
from edge.pages.sorting.desk import Desk
from edge.pages.views.forms import Fields, first, read_form
from edge.sorting.changing import RefusedError
from edge.sorting.exporting import export, next_folder, zipped
from edge.sorting.session import Session

_EXPORTED = "exported"
_ZIP, _ZIP_TYPE = "sorted.zip", "application/zip"


def export_page(desk: Desk, _request: Request) -> Response:
    """Answer with what would be exported, and what was exported last."""
    session = desk.session()
    return desk.page(
        "sorting_export.html",
        used=session.names(),
        totals=session.totals(),
        target=None if desk.out is None else str(next_folder(desk.out)),
        **_last(desk),
    )


def _last(desk: Desk) -> dict[str, Any]:
    folder, gone = handed_out(desk.session())
    return {"exported": folder, "gone": gone, "command": None if folder is None else train_command(folder)}


def handed_out(session: Session) -> tuple[str | None, int]:
    """Return the folder that was made last, None for none, and how many pictures were gone by then."""
    noted = session.about().get(_EXPORTED)
    if noted is None:
        return None, 0
    folder, gone = json.loads(noted)
    return folder, gone


def train_command(folder: str) -> str:
    """Return the command that trains on an exported folder."""
    return shlex.join(["fieldfare", "train", folder, "--out", "my-bundle"])


async def export_view(desk: Desk, request: Request) -> Response:
    """Make the class folders."""
    fields = await read_form(request)
    return await run_in_threadpool(_export, desk, fields)


def _export(desk: Desk, fields: Fields) -> Response:
    session = desk.session()
    place = next_folder(desk.place_out())
    try:
        done = export(session, desk.files, place, copy=first(fields, "how") == "copies", advance=lambda _: None)
    except MissingInputError as error:  # nothing is named, or a photo cannot be read
        raise RefusedError(str(error)) from error
    except OSError as error:
        raise (error if isinstance(error, FieldfareError) else StorageError(str(error))) from error
    # Standard JSON: a folder may have bytes in its name that are no text.
    session.note(_EXPORTED, json.dumps([str(done.folder), done.gone]))
    return RedirectResponse("/sort/export", 303)


def download_view(desk: Desk, request: Request) -> Response:
    """Answer with the class folders as a ZIP file, as it is made."""
    pieces = zipped(desk.session(), desk.files)
    if request.method == "HEAD":
        return Response(media_type=_ZIP_TYPE)
    return Pieces(desk.errands, pieces, _ZIP, _ZIP_TYPE)

"""Train on what was handed out, and follow it: on a desktop."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.errors import MissingInputError, StorageError
from edge.pages.rendering import refusal
from edge.pages.sorting.desk import Desk
from edge.pages.sorting.handing_out import handed_out
from edge.sorting.exporting import next_folder

# The report is one file with its styles and pictures inside, made by our own training; it runs no script.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"


def training_page(desk: Desk, _request: Request) -> Response:
    """Answer with how the training goes."""
    progress = None if desk.training is None else desk.training.progress()
    if progress is None:
        return RedirectResponse("/sort/export", 303)
    return desk.page("sorting_training.html", progress=progress)


def train_view(desk: Desk, _request: Request) -> Response:
    """Begin to train on what was handed out last. Nothing of the form reaches the command."""
    folder, _ = handed_out(desk.session())
    if desk.training is None or folder is None:
        return RedirectResponse("/sort/export", 303)
    if not Path(folder).is_dir():
        raise MissingInputError(f"{folder}: is not there any more: hand out again")
    bundle = next_folder(Path(folder).with_name(f"{Path(folder).name}-bundle"))
    try:
        desk.training.begin(Path(folder), bundle)
    except OSError as error:
        raise StorageError(f"the training cannot be started: {error.strerror or error}") from error
    return RedirectResponse("/sort/training", 303)


def report_view(desk: Desk, _request: Request) -> Response:
    """Answer with the report of the training."""
    if desk.training is None:
        return RedirectResponse("/sort/export", 303)
    try:
        page = desk.training.report()
    except MissingInputError:
        return refusal(404, "not_found")
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": _POLICY})

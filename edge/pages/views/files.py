"""The one way from an id to a file: a picture of an event in the store."""

import os
import stat
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from edge.errors import MissingInputError
from edge.pages.rendering import refusal
from edge.pages.site import Site
from edge.pages.views.forms import number
from edge.store.reading import StoreReader
from edge.store.records import StoredPicture

_MOST_BYTES = 32 << 20
# Under this address no other picture will ever be, so a browser may keep it; it is for the logged in only.
_KEPT = "private, max-age=86400, immutable"


def picture_view(site: Site, request: Request) -> Response:
    """Answer with the JPEG of an event, by the event's number and the picture's place in it, from 1."""
    wanted, place = number(request.path_params["number"]), number(request.path_params["place"])
    with StoreReader(site.store) as reader:
        stored = reader.find(str(wanted))
    pictures = () if stored is None else stored.pictures
    if not place <= len(pictures):
        return refusal(404, "no_picture")
    picture = pictures[place - 1]
    tag = f'"{picture.sha256}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": _KEPT})
    try:
        data = read_picture(site.store, picture)
    except MissingInputError:  # its budget dropped it after the page was made
        return refusal(404, "no_picture")
    return Response(data, media_type="image/jpeg", headers={"ETag": tag, "Cache-Control": _KEPT})


def certificate_view(site: Site, _request: Request) -> Response:
    """Answer with what a phone must trust, so that it takes the pages' own certificate. It holds no key."""
    if site.certificate is None:
        return refusal(404, "no_certificate")
    headers = {"Content-Disposition": 'attachment; filename="fieldfare.crt"'}
    return Response(site.certificate.authority(), media_type="application/x-x509-ca-cert", headers=headers)


def read_picture(store: Path, picture: StoredPicture) -> bytes:
    """Return the bytes of a picture. Raises MissingInputError if there is no such plain file beside the store, which
    a store from elsewhere may claim."""
    home = store.parent.resolve()
    try:
        path = picture.path.resolve(strict=True)
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError, RuntimeError) as error:
        raise MissingInputError(f"{picture.path.name}: not there") from error
    with open(handle, "rb") as file:  # noqa: PTH123 - a descriptor
        about = os.fstat(handle)
        if not path.is_relative_to(home) or not stat.S_ISREG(about.st_mode) or about.st_size > _MOST_BYTES:
            raise MissingInputError(f"{picture.path.name}: no picture of this store")
        return file.read(_MOST_BYTES)

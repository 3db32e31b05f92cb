"""Take events home: an export to download, or onto a stick that is plugged in."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import get_args

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.exports.copying.record import Format
from edge.pages.errands.download import Download
from edge.pages.errands.sticks import Stick, find_stick, find_sticks
from edge.pages.places import folder_of
from edge.pages.rendering import page, refusal
from edge.pages.site import Site
from edge.pages.views.events import query_of
from edge.pages.views.forms import Fields, FormError, day_begin, first, read_form
from edge.pages.wording import texts
from edge.store.reading import StoreReader

FORMATS: tuple[str, ...] = get_args(Format)
_PICTURES_ONLY = ("folders", "megadetector")
_LONGEST_S = 12 * 3600.0
# The name of the errand, which is shown while it goes on.
_STICK = "export to a stick"


def exports_view(site: Site, _request: Request) -> Response:
    """Answer with the form, the sticks that are there, and what became of the last export."""
    with StoreReader(site.store) as reader:
        count = reader.numbers()
    return page(
        "exports.html",
        "status",
        site,
        formats={form: getattr(texts().exports.formats, form.replace("-", "_")) for form in FORMATS},
        sticks=find_sticks(),
        has_events=bool(count[1]),
        running=site.errands.running(),
        ended=site.errands.ended(_STICK),
        command=_command(site),
    )


def download_view(site: Site, request: Request) -> Response:
    """Answer with an export as a tar, as it is made."""
    fields = query_of(request)
    form = _form(fields)
    words = [*_words(site, form, fields), "--out", "-"]
    name = f"fieldfare-{form}-{time.strftime('%Y-%m-%d')}.tar"
    if request.method == "HEAD":  # nothing to make an export for
        return Response(media_type="application/x-tar")
    site.errands.refuse_second()
    home = folder_of(site.store)
    return Download(site.errands, words, name, home=home, refuse=lambda why: refusal(409, "no_export", detail=why))


async def stick_view(site: Site, request: Request) -> Response:
    """Begin an export to a stick."""
    fields = await read_form(request)
    return await run_in_threadpool(_to_stick, site, fields)


def _to_stick(site: Site, fields: Fields) -> Response:
    form = _form(fields)
    words = _words(site, form, fields)
    stick = find_stick(first(fields, "stick"), find_sticks())
    if stick is None:
        return refusal(409, "no_stick")
    if stick.fault is not None:
        return refusal(409, "stick_refuses", detail=f"{stick.name}: {stick.fault}")
    if first(fields, "new") == "yes":
        words.append("--since-last")
    site.errands.begin(_STICK, [*words, "--out", str(_target(stick, form))], _LONGEST_S)
    return RedirectResponse("/exports", 303)


def again_view(site: Site, _request: Request) -> Response:
    """Go on with the export to a stick that was interrupted last."""
    ended = site.errands.ended(_STICK)
    if ended is None or ended.is_well:
        return refusal(409, "nothing_to_resume")
    resume = () if "--resume" in ended.words else ("--resume",)
    site.errands.begin(_STICK, [*ended.words, *resume], _LONGEST_S)
    return RedirectResponse("/exports", 303)


def cancel_view(site: Site, _request: Request) -> Response:
    """End what goes on, whatever it is."""
    site.errands.cancel()
    return RedirectResponse("/exports", 303)


def _target(stick: Stick, form: str) -> str:
    return str(stick.folder / f"fieldfare-{form}-{time.strftime('%Y%m%d-%H%M%S')}")


def _form(fields: Fields) -> str:
    """Return the format, one of ours. Raises FormError."""
    form = first(fields, "format")
    if form not in FORMATS:
        raise FormError(f"format {form[:40]!r}: must be {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    return form


def _words(site: Site, form: str, fields: Fields) -> list[str]:
    """Return the words of the command: of our own lists and of dates, nothing as the browser sent it."""
    since, until = first(fields, "since"), first(fields, "until")
    begin_s, end_s = day_begin(since), day_begin(until, days_later=1)
    if begin_s is not None and end_s is not None and begin_s >= end_s:
        raise FormError(f"days: the first, {since[:40]}, must not be after the last, {until[:40]}")
    words = ["export", *_command(site), "--format", form]
    words += [] if begin_s is None else ["--since", _day(since)]
    words += [] if end_s is None else ["--until", _day(until)]
    if first(fields, "pictures") != "yes" and form not in _PICTURES_ONLY:
        words.append("--no-media")
    return words


def _day(text: str) -> str:
    return datetime.strptime(text, "%Y-%m-%d").strftime("%Y-%m-%d")


def _command(site: Site) -> Sequence[str]:
    if site.settings is not None:
        return ("--config", str(site.settings.absolute()))
    return ("--store", str(site.store.absolute()))

"""Fill in the templates. The one place that sets Jinja up; everything that is filled in is escaped."""

import math
from datetime import datetime
from functools import cache
from typing import Any, Protocol

import jinja2
from starlette.responses import HTMLResponse

from edge.pages.access.sessions import Sessions
from edge.pages.wording import texts
from edge.printable import printable


class Visited(Protocol):
    """Where a page belongs to. sessions: who is logged in; None if nobody can be."""

    @property
    def sessions(self) -> Sessions | None: ...


def page(
    template: str, here: str, site: Visited, *, status: int = 200, headers: dict[str, str] | None = None, **context: Any
) -> HTMLResponse:
    """Return a template of this package as a page.

    here: the page of the menu that this one belongs to; "" for none and no menu.

    Raises jinja2.UndefinedError if the template uses a name that is missing.
    """
    context |= {"t": texts(), "here": here, "may_log_out": site.sessions is not None}
    body = _environment().get_template(template).render(context)
    return HTMLResponse(body, status, headers)


def refusal(status: int, key: str, *, headers: dict[str, str] | None = None, detail: str = "") -> HTMLResponse:
    """Return the page that says why a request is refused. key: of its text."""
    context = {"t": texts(), "here": "", "words": getattr(texts().refused, key), "detail": detail}
    return HTMLResponse(_environment().get_template("refused.html").render(context), status, headers)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("edge.pages"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
    )
    environment.filters |= {"local": local, "day": day, "lasted": lasted, "share": share}
    return environment


def _shown(value: Any) -> Any:
    """Make a value fit for a page: a label or the name of a file may hold anything."""
    return printable(value) if type(value) is str else value


def local(wall_s: float) -> str:
    """Return a moment in this machine's time, such as 2026-11-28 05:12:03."""
    return _formatted(wall_s, "%Y-%m-%d %H:%M:%S")


def day(wall_s: float) -> str:
    """Return its day."""
    return _formatted(wall_s, "%Y-%m-%d")


def _formatted(wall_s: float, form: str) -> str:
    try:
        return datetime.fromtimestamp(wall_s).strftime(form)
    except (ValueError, OverflowError, OSError):
        return f"{wall_s:.0f} s"


def lasted(seconds: float) -> str:
    """Return a duration: 4.2 s, 3 min, 2 h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def share(score: float) -> str:
    """Return a score, 0..1, as a percentage that never rounds up to certainty."""
    return f"{math.floor(score * 1000) / 10:.1f} %" if score < 1 else "100 %"

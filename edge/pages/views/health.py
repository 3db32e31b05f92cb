"""The doctor's findings: looked for on request, and kept until the next time."""

import time

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.decoding import DecodingError, decode_json
from edge.doctor.findings import Report
from edge.pages.errands.errands import Ended
from edge.pages.rendering import page
from edge.pages.site import Site
from edge.printable import one_line

_NAME = "doctor"
_LIMIT_S = 60.0
# Most often it takes a second, so that the answer to the button is the result.
_PATIENCE_S = 4.0
_LOOK_S = 0.05
# Which page shows more about a finding.
_MORE = {"settings": "/settings", "space": "/exports", "service": "/problems", "schedule": "/status"}


def doctor_view(site: Site, _request: Request) -> Response:
    """Answer with what was found last, and when."""
    ended = site.errands.ended(_NAME)
    report, fault = (None, None) if ended is None else _report(ended)
    return page(
        "doctor.html",
        "status",
        site,
        running=site.errands.running(),
        ended=ended,
        age_s=0.0 if ended is None else time.monotonic() - ended.ended_mono_s,
        findings=() if report is None else report.findings,
        fault=fault,
        more=_MORE,
    )


def examine_view(site: Site, _request: Request) -> Response:
    """Have the doctor look. Raises UnavailableError if something else goes on."""
    words = ["doctor", "--confined", "--json"]
    words += [] if site.settings is None else ["--config", str(site.settings.absolute())]
    site.errands.begin(_NAME, words, _LIMIT_S)
    until_s = time.monotonic() + _PATIENCE_S
    while (running := site.errands.running()) is not None and running.name == _NAME and time.monotonic() < until_s:
        time.sleep(_LOOK_S)
    return RedirectResponse("/doctor", 303)


def _report(ended: Ended) -> tuple[Report | None, str | None]:
    """Return the report, or why there is none. A doctor that found a problem ends with a status of its own."""
    try:
        return decode_json(ended.finished.output, Report), None
    except DecodingError:
        killed = ended.finished.killed_for
        return None, one_line(ended.why or (f"killed: {killed}" if killed else f"status {ended.finished.status}"))

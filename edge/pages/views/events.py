"""What the camera saw: a list of events, and one of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from edge.errors import FieldfareError
from edge.events.score_curve import score_curve
from edge.pages.plots import Line, line
from edge.pages.rendering import page, refusal
from edge.pages.site import Site
from edge.pages.views.forms import Fields, FormError, day_begin, first, number, parse_fields, percentage
from edge.pages.views.marking import Undo, seen_of
from edge.pages.wording import texts
from edge.store.reading import StoreReader
from edge.store.records import Filter, StoredEvent

AT_ONCE = 24
# A browser's list of suggestions; all labels of a thousand-class model would double the page.
_MOST_SUGGESTED = 200
# What the documentation calls the score log, which a copy of a device's folder then has beside the store.
_SCORES = "scores.log"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of the list asks for. words: as they stand there, for the form and for links.

    before: the begin in seconds and the number of the event that the last page ended with.
    """

    wanted: Filter
    words: dict[str, str]
    before: tuple[float, int] | None

    def link(self, **changed: str) -> str:
        """Return the address of this list, with some words changed."""
        words = {name: word for name, word in {**self.words, **changed}.items() if word}
        return f"/events?{urlencode(words)}" if words else "/events"


def asked(fields: Fields) -> Asked:
    """Read the words of the address. Raises FormError."""
    words = {name: first(fields, name) for name in ("label", "day", "least", "most", "checked")}
    if words["checked"] not in ("", "yes", "no"):
        raise FormError(f"checked {words['checked'][:40]!r}: must be yes or no")
    wanted = Filter(
        labels=(words["label"],) if words["label"] else (),
        since_wall_s=day_begin(words["day"]),
        until_wall_s=day_begin(words["day"], days_later=1),
        least_score=percentage(words["least"]),
        most_score=percentage(words["most"]),
        checked={"": None, "yes": True, "no": False}[words["checked"]],
    )
    return Asked(wanted, words, _place(first(fields, "before")))


def _place(text: str) -> tuple[float, int] | None:
    """Return the place in the list that an address names. Raises FormError."""
    if not text:
        return None
    milliseconds, _, event = text.partition("-")
    return number(milliseconds) / 1000, number(event)


def events_view(site: Site, request: Request) -> Response:
    """Answer with a page of the list."""
    found = asked(query_of(request))
    with StoreReader(site.store) as reader:
        shown = list(_page_of(reader, found))
        total = reader.count(found.wanted)
        labels = list(reader.labels())
    more = shown[AT_ONCE:]
    shown = shown[:AT_ONCE]
    return page(
        "events.html",
        "events",
        site,
        shown=[(stored, seen_of(stored.mark)) for stored in shown],
        total=total,
        labels=labels[:_MOST_SUGGESTED],
        asked=found,
        older=found.link(before=_before(shown[-1])) if more else None,
        newest=found.link() if found.before is not None else None,
        here_again=found.link(before=first(query_of(request), "before")),
        undo=Undo.from_text(first(query_of(request), "done")),
    )


def query_of(request: Request) -> Fields:
    """Return the words of the address. Raises FormError."""
    return parse_fields(request.scope["query_string"])


def _page_of(reader: StoreReader, found: Asked) -> Iterator[StoredEvent]:
    """Yield one event more than a page has, newest first."""
    wanted, before = found.wanted, found.before
    if before is not None:
        # Several events may begin in one millisecond: those of it that stood on the last page are left out.
        until = before[0] + 0.001
        wanted = msgspec.structs.replace(wanted, until_wall_s=min(until, wanted.until_wall_s or until))
    left = AT_ONCE + 1
    most = left + (0 if before is None else 1000)
    for stored in reader.events(wanted, limit=most, at_once=left):
        if before is None or (_milliseconds(stored), stored.number) < (round(before[0] * 1000), before[1]):
            yield stored
            left -= 1
        if not left:
            return


def _milliseconds(stored: StoredEvent) -> int:
    return round(stored.begin_wall_s * 1000)


def _before(stored: StoredEvent) -> str:
    return f"{max(1, _milliseconds(stored))}-{stored.number}"


def _line(site: Site, stored: StoredEvent) -> Line | str:
    """Return the event's score curve, or in words why there is none."""
    words, log = texts().event, site.store.with_name(_SCORES)
    try:
        settings = site.load_settings()
    except FieldfareError as error:
        return str(error)
    if settings is not None and settings.events.scores is None:
        return str(words.no_log.format(path=log))
    if settings is not None and settings.events.scores is not None:
        log = Path(settings.events.scores)
    elif not log.is_file():
        return str(words.no_log_here.format(path=log))
    event = stored.event
    curve = score_curve(log, event)
    return str(words.not_in_log) if curve is None else line(curve, event.end_mono_s - event.begin_mono_s)


def event_view(site: Site, request: Request) -> Response:
    """Answer with one event, whole."""
    wanted = number(request.path_params["number"])
    with StoreReader(site.store) as reader:
        stored = reader.find(str(wanted))
        labels = list(reader.labels())
    if stored is None:
        return refusal(404, "no_event")
    return page(
        "event.html",
        "events",
        site,
        stored=stored,
        seen=seen_of(stored.mark),
        curve=_line(site, stored),
        labels=labels[:_MOST_SUGGESTED],
        here_again=f"/events/{stored.number}",
        undo=Undo.from_text(first(query_of(request), "done")),
    )

"""Marks on events: right, wrong, another label; several at once; taken back."""

import base64
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.decoding import DecodingError, decode_json
from edge.errors import UnavailableError
from edge.events.labels import mark_problem
from edge.pages.rendering import page
from edge.pages.site import Site
from edge.pages.views.forms import LONGEST_NUMBER, Fields, FormError, first, number, read_form, way_back
from edge.printable import printable
from edge.store.orders import MarkEvents, carry_out
from edge.store.reading import StoreReader
from edge.store.records import Mark, StoredEvent

_BY = "page"
_MOST_UNDONE = 200
_LONGEST_NAME = 200
_LONGEST_UNDO = 1500  # it travels in an address
# A mark may take 10 s if the recorder is busy.
_PATIENCE_S = 15.0


class Undone(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """given: what seen_of returns for the mark that the events were given. marks: each number, and its mark before."""

    given: str
    marks: list[tuple[Annotated[int, msgspec.Meta(ge=1, lt=10**LONGEST_NUMBER)], Mark | None]]


@dataclass(frozen=True, slots=True)
class Undo:
    """How to take the last marks back. count: of how many events. text: what the button sends."""

    count: int
    text: str

    @classmethod
    def of(cls, before: Sequence[StoredEvent], given: Mark) -> "Undo":
        """Return how to get the marks back that these events had before they were all `given` one.

        text: "" if that is more than an address can hold.
        """
        marks = [(stored.number, stored.mark) for stored in before]
        packed = base64.urlsafe_b64encode(zlib.compress(msgspec.json.encode(Undone(seen_of(given), marks)), 9)).decode()
        return cls(len(marks), packed if len(packed) <= _LONGEST_UNDO else "")

    @classmethod
    def from_text(cls, text: str) -> "Undo | None":
        """Return what an address names; None for "". Raises FormError."""
        if not text:
            return None
        count, _, packed = text.partition(".")
        return cls(number(count), packed)

    def undone(self) -> Undone:
        """Return numbers and marks as they were, and the mark they were given. Raises FormError."""
        try:
            opened = zlib.decompressobj()
            data = opened.decompress(base64.urlsafe_b64decode(self.text), 1 << 16)
            undone = decode_json(data, Undone)
        except (ValueError, zlib.error, DecodingError) as error:
            raise FormError("undo: not what a page of this version sends") from error
        if not 0 < len(undone.marks) <= _MOST_UNDONE or any(_is_odd(mark) for _, mark in undone.marks if mark):
            raise FormError("undo: not what a page of this version sends")
        return undone


def _is_odd(mark: Mark) -> bool:
    has_label = mark.label is not None
    if mark.by is not None and (printable(mark.by) != mark.by or len(mark.by) > _LONGEST_NAME):
        return True
    return has_label != (mark.verdict == "other") or (has_label and mark_problem(mark.label or "") is not None)


def seen_of(mark: Mark | None) -> str:
    """Return what a page remembers of a mark, to find out whether somebody else has marked the event meanwhile."""
    return "-" if mark is None else f"{mark.verdict}.{mark.wall_s:.3f}"


async def mark_view(site: Site, request: Request) -> Response:
    """Mark the chosen events, and show the list again."""
    fields = await read_form(request)
    return await run_in_threadpool(_in_turn, _mark, site, fields)


def _in_turn(change: Callable[[Site, Fields], Response], site: Site, fields: Fields) -> Response:
    """Make a change once the one before is on the disk. Raises UnavailableError if that takes too long."""
    if not site.marking.acquire(timeout=_PATIENCE_S):
        raise UnavailableError("another mark is still being written, so nothing was changed: try again")
    try:
        return change(site, fields)
    finally:
        site.marking.release()


def _mark(site: Site, fields: Fields) -> Response:
    numbers, mark = _choice(fields)
    with StoreReader(site.store) as reader:
        found = [stored for one in numbers if (stored := reader.find(str(one))) is not None]
    changed = [stored for stored in found if seen_of(stored.mark) != first(fields, f"seen-{stored.number}")]
    if changed and first(fields, "anyway") != "yes":
        return _show_conflict(site, fields, changed, "/events/marks")
    if not found:
        raise FormError("events: none of them is in the store any more")
    carry_out(site.store, [MarkEvents(tuple(stored.number for stored in found), mark)])
    undo = Undo.of(found, mark)
    return RedirectResponse(_back(fields, f"{undo.count}.{undo.text}", found[0].number), 303)


def _choice(fields: Fields) -> tuple[list[int], Mark]:
    """Return the chosen events and the mark for them. Raises FormError."""
    one, _, verdict = first(fields, "one").partition(":")
    numbers = [number(one)] if one else [number(text) for text in fields.get("event", [])]
    if not numbers:
        raise FormError("events: choose at least one")
    label = first(fields, f"label-{one}") if one else first(fields, "label")
    verdict = verdict or first(fields, "verdict") or "other"
    if verdict in ("right", "wrong"):
        return numbers, Mark(verdict="right" if verdict == "right" else "wrong", by=_BY, wall_s=time.time())
    problem = mark_problem(label)
    if verdict != "other" or problem is not None:
        raise FormError(f"label {label[:80]!r}: {problem or 'the verdict must be right, wrong or other'}")
    return numbers, Mark(verdict="other", label=label, by=_BY, wall_s=time.time())


def _show_conflict(site: Site, fields: Fields, changed: Sequence[StoredEvent], action: str) -> Response:
    """Answer with what somebody else marked meanwhile; nothing was changed. action: where the form goes again."""
    kept = [(name, value) for name, values in fields.items() for value in values if name != "anyway"]
    return page("conflict.html", "events", site, status=409, changed=changed, kept=kept, action=action)


async def undo_view(site: Site, request: Request) -> Response:
    """Give events the marks back that they had, unless somebody marked them since."""
    fields = await read_form(request)
    return await run_in_threadpool(_in_turn, _take_back, site, fields)


def _take_back(site: Site, fields: Fields) -> Response:
    undone = Undo(0, first(fields, "undo")).undone()
    with StoreReader(site.store) as reader:
        found = {number: stored for number, _ in undone.marks if (stored := reader.find(str(number))) is not None}
    changed = [stored for stored in found.values() if seen_of(stored.mark) != undone.given]
    if changed and first(fields, "anyway") != "yes":
        return _show_conflict(site, fields, changed, "/events/undo")
    groups: dict[Mark | None, list[int]] = defaultdict(list)
    for event, mark in undone.marks:
        if event in found:  # the others went with the store's oldest
            groups[mark].append(event)
    carry_out(site.store, [MarkEvents(tuple(events), mark) for mark, events in groups.items()])
    return RedirectResponse(_back(fields, "", None), 303)


def _back(fields: Fields, done: str, event: int | None) -> str:
    """Return the page that the form was on: of ours, whatever the form claims."""
    path, query = way_back(first(fields, "back"), "/events")
    words = [pair for pair in query.split("&") if pair and not pair.startswith("done=")]
    words += [urlencode({"done": done})] if done else []
    return path + (f"?{'&'.join(words)}" if words else "") + (f"#event-{event}" if event is not None else "")

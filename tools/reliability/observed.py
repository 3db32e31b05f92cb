"""Run `fieldfare` and note which events were heard of and which were acknowledged.

    python -m tools.reliability.observed run --service ...

RELIABILITY_NOTES names the file. An event is *acknowledged* when the supervisor forgets it, since the recorder reported
it as kept. Each note is one write to a file, so it outlives a SIGKILL. Nothing else of the product is touched.
"""

import json
import os
import time
from collections.abc import Iterable, Sequence

from edge.cli import main
from edge.events.records import Event, PictureInfo
from edge.supervision.recording.pending import Item, Pending

_NOTES = os.open(os.environ["RELIABILITY_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
_kept, _keep_event = Pending.kept, Pending.keep_event


def _note(what: str, event: Event, pictures: int) -> None:
    # pictures: of an event that was heard of; those of a kept one are closed already.
    words = {
        "what": what,
        "at_mono_s": time.monotonic(),
        "identity": [event.device, event.boot, event.sequence],
        "label": event.label,
        "begin_mono_s": event.begin_mono_s,
        "end_mono_s": event.end_mono_s,
        "frames": event.frames,
        "pictures": pictures,
    }
    os.write(_NOTES, (json.dumps(words) + "\n").encode())


def _keep_event_noted(
    self: Pending, event: Event, pictures: Sequence[PictureInfo] = (), files: Iterable[int] = ()
) -> None:
    if event.ended:
        _note("heard", event, len(pictures))
    _keep_event(self, event, pictures, files)


def _kept_noted(self: Pending, tickets: Iterable[int]) -> list[Item]:
    items = _kept(self, tickets)
    for item in items:
        if isinstance(item.content, Event) and item.content.ended:
            _note("kept", item.content, 0)
    return items


def observe() -> None:
    """Note events from now on, in this process."""
    Pending.keep_event, Pending.kept = _keep_event_noted, _kept_noted  # type: ignore[method-assign]


if __name__ == "__main__":
    observe()
    main()

"""What the pages are looked at with. A page to come adds here what it shows, and is then tried with all others."""

from pathlib import Path

import msgspec

from edge.store.orders import MarkEvents, carry_out
from edge.store.reading import StoreReader
from edge.store.records import Filter, Mark
from tools.make_store import Made, made_events, make_store

PASSWORD = "kestrel and hay"
MANY = 60
# What a label file may hold, and a person may write.
ODD_LABELS = (
    "<img src=x onerror=alert(1)>",
    "'\"><script>alert(2)</script>",
    "a & b &amp; c",
    "\u05e9\u05d5\u05e2\u05dc \u05d0\u05d3\u05d5\u05dd",
    "\u062b\u0639\u0644\u0628 42 (fox)",
    "\u9752\u72d0\u72f8",
    "x" * 200,
    "long words " * 18 + "ab",
)


def furnish(folder: Path) -> Path:
    """Make a store with a night of events, some of them with odd labels, some marked. Returns it."""
    store = folder / "events.db"
    make_store(store, [_named(place, one) for place, one in enumerate(made_events(MANY, side=160, boxes=True))])
    with StoreReader(store) as reader:
        numbers = [one.number for one in reader.events(Filter())]
    marks = (
        Mark(verdict="right", by="ada", wall_s=1_777_700_000.0),
        Mark(verdict="wrong", by="ada", wall_s=1_777_700_001.0),
        Mark(verdict="other", label="polecat", by="<b>bob</b>", wall_s=1_777_700_002.0),
    )
    carry_out(store, [MarkEvents((numbers[20 + place],), mark) for place, mark in enumerate(marks)])
    return store


def _named(place: int, made: Made) -> Made:
    """Give the newest events but ten the odd labels."""
    odd = MANY - 10 - place
    if not 0 < odd <= len(ODD_LABELS):
        return made
    return Made(msgspec.structs.replace(made.event, label=ODD_LABELS[odd - 1]), made.booted_s, made.pictures)

"""What the pages are looked at with. A page to come adds here what it shows, and is then tried with all others."""

from pathlib import Path

import msgspec
import numpy as np

from edge.events.log_clock import ClockPiece
from edge.events.records import Event
from edge.events.score_log import ScoreLogWriter
from edge.events.wall_clock import ClockReading
from edge.store.orders import MarkEvents, carry_out
from edge.store.reading import StoreReader
from edge.store.records import Filter, Mark
from tools.make_store import SPRING_S, Made, made_events, make_store

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
    """Make a store with a night of events, some of them with odd labels, some marked, and the newest in the log of
    scores. Returns the store."""
    store = folder / "events.db"
    make_store(store, [_named(place, one) for place, one in enumerate(made_events(MANY, side=160, boxes=True))])
    with StoreReader(store) as reader:
        found = list(reader.events(Filter()))
    numbers = [one.number for one in found]
    _log_scores(scores_of(store), found[0].event)
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


def scores_of(store: Path) -> Path:
    """Return the log of scores beside a store."""
    return store.with_name("scores.log")


def settings_for(store: Path, bundle: Path) -> Path:
    """Write the settings of the service that keeps a store and uses a bundle. Returns their file."""
    file, taxa = store.with_name("fieldfare.toml"), store.with_name("taxa.csv")
    taxa.write_text("label,scientific_name,kind,eng\nfox,Vulpes vulpes,animal,red fox\n")
    file.write_text(
        f'bundle = "{bundle}"\n'
        f'[device]\ntaxonomy = "{taxa}"\n'
        f'[events]\nstore = "{store}"\nscores = "{scores_of(store)}"\n'
        f'[mqtt]\nhost = "broker.local"\nusername = "somebody"\n'
    )
    return file


def _log_scores(log: Path, event: Event) -> None:
    """Keep scores that rise and fall with an event."""
    writer = ScoreLogWriter([event.label, "other"], event.bundle, [0.6, 0.6])
    pieces = ClockPiece(event.boot, 0.0, ClockReading(SPRING_S, "ntp")).packed()
    lasts_s = event.end_mono_s - event.begin_mono_s
    for number in range(round((lasts_s + 8) * 5)):
        second = number / 5 - 4
        score = 0.9 if 0 <= second <= lasts_s else 0.1
        mono_s = event.begin_mono_s + second
        pieces += writer.add(mono_s, SPRING_S + mono_s, np.array([score, 1 - score], np.float32)) or b""
    log.write_bytes(pieces + (writer.flush() or b""))

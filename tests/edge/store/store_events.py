"""Events, pictures and samples for tests of the store, and how a store is read by brute force."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edge.events.records import ClockQuality, Event, Sample
from edge.results import Candidate
from edge.store.reading import StoreReader
from edge.store.records import NewSample, StoredEvent, StoredPicture
from edge.store.writes.adding import NewEvent

BOOT = "4f6c1e0a9d6b4c19a0b0e7a7f0d3c2b1"
OTHER_BOOT = "99999999999999999999999999999999"
# The wall clock of the tests' boots: 2025-06-15.
OFFSET_S = 1_750_000_000.0


def event(sequence: int = 1000, **changes: Any) -> Event:
    """An event of a fox, four seconds long, which began at its sequence."""
    begin_s = sequence / 1000
    fields: dict[str, Any] = {
        "device": "trap-3",
        "boot": BOOT,
        "sequence": sequence,
        "label": "fox",
        "begin_mono_s": begin_s,
        "end_mono_s": begin_s + 4,
        "peak": 0.93,
        "peak_mono_s": begin_s + 1.5,
        "mean": 0.87,
        "frames": 40,
        "engine": "cpu",
        "bundle": "0123456789abcdef",
        "camera": "front",
    }
    return Event(**{**fields, **changes})


def full_event(sequence: int = 1000, **changes: Any) -> Event:
    """An event that has everything an event can have."""
    return event(
        sequence,
        **{
            "runner_up": Candidate("cat", 0.05),
            "box": (0.1, 0.2, 0.3, 0.4),
            "fallback": "no Edge TPU",
            "temperature_c": 51.5,
            "latitude": 52.1,
            "longitude": 11.6,
            **changes,
        },
    )


def new(
    made: Event,
    clock: ClockQuality = "ntp",
    *,
    pictures: Iterable[StoredPicture] = (),
    offset_s: float = OFFSET_S,
) -> NewEvent:
    """The event with its wall times, as the recorder hands it to the writer."""
    return made, made.begin_mono_s + offset_s, made.end_mono_s + offset_s, clock, tuple(pictures)


def picture(path: Path, data: bytes = b"jpeg", kind: Any = "best") -> StoredPicture:
    return StoredPicture(
        kind=kind,
        path=path,
        size=len(data),
        width=640,
        height=480,
        captured_mono_s=2.5,
        captured_wall_s=OFFSET_S + 2.5,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def sample(captured_mono_s: float, path: Path, **changes: Any) -> NewSample:
    made = Sample(
        captured_mono_s=captured_mono_s,
        label="unknown",
        score=0.4,
        top=(Candidate("fox", 0.4), Candidate("cat", 0.3)),
        reasons=("uncertain", "unknown"),
        width=640,
        height=480,
    )
    fields: dict[str, Any] = {
        "sample": made,
        "device": "trap-3",
        "boot": BOOT,
        "engine": "cpu",
        "bundle": "0123456789abcdef",
        "captured_wall_s": captured_mono_s + OFFSET_S,
        "clock": "ntp",
        "path": path,
        "size": 4,
        "sha256": "00" * 32,
    }
    return NewSample(**{**fields, **changes})


def everything(path: Path) -> list[StoredEvent]:
    """All events of a store, in the order of their numbers."""
    with StoreReader(path) as reader:
        return reader.after(0, 1_000_000)

"""Describe an event as JSON for programs: lines in a file, and a hook's standard input."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from edge.events.records import ClockQuality
from edge.outputs.feed import Gap
from edge.printable import printable_json
from edge.results import Box, Candidate
from edge.store.records import StoredEvent


class EventRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event, for whoever receives it.

    event_id: stays the same if it is sent twice. number: its place in the store.
    label: as a person marked it, if one did. score: the peak, 0..1. mean: of its scores.
    begin, end: ISO 8601 in UTC, as far as `clock` can be trusted.
    pictures: paths of its JPEGs; they may be gone by the time they are opened.
    """

    event_id: str
    number: int
    device: str
    label: str
    score: float
    mean: float
    begin: str
    end: str
    duration_s: float
    clock: ClockQuality
    frames: int
    engine: str
    bundle: str
    camera: str
    runner_up: Candidate | None = None
    box: Box | None = None
    fallback: str | None = None
    temperature_c: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    pictures: tuple[Path, ...] = ()


class GapRecord(msgspec.Struct, frozen=True):
    """Events that were left out, in the place of these."""

    gap: dict[str, int]


def event_record(stored: StoredEvent) -> EventRecord:
    """Return what is sent of an event."""
    event = stored.event
    return EventRecord(
        event_id=event.name,
        number=stored.number,
        device=event.device,
        label=stored.label,
        score=event.peak,
        mean=event.mean,
        begin=iso_time(stored.begin_wall_s),
        end=iso_time(stored.end_wall_s),
        duration_s=duration_s(stored),
        clock=stored.clock,
        frames=event.frames,
        engine=event.engine,
        bundle=event.bundle,
        camera=event.camera,
        runner_up=event.runner_up,
        box=event.box,
        fallback=event.fallback,
        temperature_c=event.temperature_c,
        latitude=event.latitude,
        longitude=event.longitude,
        pictures=tuple(picture.path for picture in stored.pictures),
    )


def gap_record(gap: Gap) -> GapRecord:
    """Return what is sent in the place of events that are left out."""
    return GapRecord({"from": gap.first, "to": gap.last, "events": gap.events})


def to_json(what: StoredEvent | Gap) -> bytes:
    """Return an event or a gap as one line of JSON, with all that is not printable escaped."""
    record = gap_record(what) if isinstance(what, Gap) else event_record(what)
    return printable_json(msgspec.json.encode(record, enc_hook=str))


def duration_s(stored: StoredEvent) -> float:
    """Return how long it lasted, by the clock that never jumps."""
    return round(stored.event.end_mono_s - stored.event.begin_mono_s, 3)


def iso_time(wall_s: float) -> str:
    """Return a wall time as text in UTC, such as 2026-11-28T05:12:03.125Z; years 1 to 9999."""
    try:
        moment = datetime.fromtimestamp(wall_s, UTC)
    except (OverflowError, ValueError, OSError):  # a clock that never was set, or a damaged store
        moment = datetime.fromtimestamp(0, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

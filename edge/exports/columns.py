"""Flatten an event to one row, the same in CSV, JSON lines, Parquet and `fieldfare events --json`."""

from collections.abc import Sequence
from typing import Any, Literal

from edge.exports.taxa import TaxonOf
from edge.exports.times import to_millisecond
from edge.printable import printable
from edge.store.records import StoredEvent

Kind = Literal["text", "whole", "number", "time", "texts"]
Row = dict[str, Any]

# docs/exporting.md explains each.
COLUMNS: dict[str, Kind] = {
    "number": "whole",
    "event_id": "text",
    "device": "text",
    "boot": "text",
    "sequence": "whole",
    "label": "text",
    "scientific_name": "text",
    "kind": "text",
    "begin": "time",
    "end": "time",
    "clock": "text",
    "duration_s": "number",
    "score": "number",
    "mean": "number",
    "machine_label": "text",
    "runner_up": "text",
    "runner_up_score": "number",
    "frames": "whole",
    "checked": "text",
    "checked_by": "text",
    "checked_at": "time",
    "box_left": "number",
    "box_top": "number",
    "box_width": "number",
    "box_height": "number",
    "engine": "text",
    "fallback": "text",
    "bundle": "text",
    "camera": "text",
    "temperature_c": "number",
    "latitude": "number",
    "longitude": "number",
    "pictures": "texts",
}


def flatten(stored: StoredEvent, taxon_of: TaxonOf, pictures: Sequence[str] = ()) -> Row:
    """Return the values of all columns, None for those that there are not; times as seconds since 1970 UTC.

    pictures: their paths, in the order in which they were taken.
    """
    event, mark, taxon = stored.event, stored.mark, taxon_of(stored.label)
    left, top, width, height = event.box or (None, None, None, None)
    return {
        "number": stored.number,
        "event_id": event.name,
        "device": event.device,
        "boot": event.boot,
        "sequence": event.sequence,
        "label": stored.label,
        "scientific_name": taxon and taxon.scientific_name,
        "kind": taxon and taxon.kind,
        "begin": stored.begin_wall_s,
        "end": stored.end_wall_s,
        "clock": stored.clock,
        "duration_s": round(event.end_mono_s - event.begin_mono_s, 3),
        "score": round(event.peak, 4),
        "mean": round(event.mean, 4),
        "machine_label": event.label,
        "runner_up": event.runner_up and event.runner_up.label,
        "runner_up_score": event.runner_up and round(event.runner_up.score, 4),
        "frames": event.frames,
        "checked": mark and mark.verdict,
        "checked_by": mark and mark.by,
        "checked_at": mark and mark.wall_s,
        "box_left": left,
        "box_top": top,
        "box_width": width,
        "box_height": height,
        "engine": event.engine,
        "fallback": event.fallback,
        "bundle": event.bundle,
        "camera": event.camera,
        "temperature_c": event.temperature_c,
        "latitude": event.latitude,
        "longitude": event.longitude,
        "pictures": list(pictures),
    }


def as_json(row: Row) -> Row:
    """Return the row with its times written out."""
    return {
        name: to_millisecond(value) if COLUMNS[name] == "time" and value is not None else value
        for name, value in row.items()
    }


def as_cells(row: Row) -> list[str]:
    """Return the row as the texts of a table: nothing for None, pictures joined by bars, one line each."""
    return [_cell(COLUMNS[name], value) for name, value in row.items()]


def _cell(kind: Kind, value: Any) -> str:
    if value is None:
        return ""
    if kind == "time":
        return to_millisecond(value)
    return "|".join(value) if kind == "texts" else clean(str(value))


def clean(text: str) -> str:
    """Return a text for a cell, without line breaks and other characters that no table should hold."""
    return printable(" ".join(text.splitlines()))

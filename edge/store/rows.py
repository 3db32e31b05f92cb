"""Turn events into rows of the store, and rows into events."""

import math
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, cast

from edge.events.records import ClockQuality, Event, PictureKind
from edge.results import Box, Candidate
from edge.store import schema
from edge.store.records import Mark, StoredEvent, StoredPicture, Verdict
from edge.store.texts import Boot, Origin, TextReader, TextWriter

# The columns of an event, in the order of the table.
COLUMNS = (
    *(
        "number",
        "boot",
        "sequence",
        "origin",
        "label",
        "shown",
        "state",
        "settled",
        "hour",
        "begin_ms",
        "end_ms",
        "clock",
    ),
    *("begin_mono_s", "end_mono_s", "peak", "band", "peak_mono_s", "mean", "frames", "runner_up", "runner_up_score"),
    *("box_left", "box_top", "box_width", "box_height", "temperature_c"),
)
SELECT = f"SELECT {', '.join(COLUMNS)} FROM events"
INSERT = f"INSERT INTO events ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
# SQLite takes a bounded number of values in one statement; 500 keep it quick, too.
MOST_IN_ONE = 500


def milliseconds(seconds: float) -> int:
    """Return a time as the store keeps it. Raises OverflowError for infinity and for no number."""
    if not math.isfinite(seconds):
        raise OverflowError(f"a time of {seconds} s")
    return round(seconds * 1000)


def event_row(texts: TextWriter, event: Event, number: int, times: tuple[int, int, int]) -> tuple[Any, ...]:
    """Return the row of a new event. times: begin_ms, end_ms, clock."""
    label = texts.label(event.label)
    runner_up = event.runner_up
    return (
        *(number, texts.boot(Boot(event.device, event.boot)), event.sequence, texts.origin(_origin_of(event))),
        *(label, label, 0, 0, times[0] // schema.HOUR_MS, *times),
        *(event.begin_mono_s, event.end_mono_s, event.peak, schema.band_of(event.peak), event.peak_mono_s),
        *(event.mean, event.frames),
        *((None, None) if runner_up is None else (texts.label(runner_up.label), runner_up.score)),
        *(event.box or (None,) * 4),
        event.temperature_c,
    )


def _origin_of(event: Event) -> Origin:
    return Origin(event.engine, event.bundle, event.camera, event.fallback, event.latitude, event.longitude)


class RowReader:
    """Builds StoredEvents from rows, with their marks and pictures. Used by one thread."""

    def __init__(self, connection: sqlite3.Connection, folder: Path) -> None:
        """folder: that of the store; files in it are stored relative to it."""
        self._connection = connection
        self._folder = folder
        self.texts = TextReader(connection)

    def stored(self, rows: Sequence[tuple[Any, ...]]) -> list[StoredEvent]:
        """Return the events of rows with COLUMNS, in their order. Raises LookupError for rows that lead nowhere."""
        found: list[StoredEvent] = []
        for begin in range(0, len(rows), MOST_IN_ONE):
            some = [dict(zip(COLUMNS, row, strict=True)) for row in rows[begin : begin + MOST_IN_ONE]]
            marks = self._marks([row["number"] for row in some if row["state"] & schema.CHECKED])
            pictures = self._pictures(some)
            found += [self._event(row, marks.get(row["number"]), pictures.get(row["number"], ())) for row in some]
        return found

    def _event(self, row: Mapping[str, Any], mark: Mark | None, pictures: tuple[StoredPicture, ...]) -> StoredEvent:
        boot, origin = self.texts.boot(row["boot"]), self.texts.origin(row["origin"])
        runner_up = row["runner_up"]
        event = Event(
            device=boot.device,
            boot=boot.boot,
            sequence=row["sequence"],
            label=self.texts.label(row["label"]),
            begin_mono_s=row["begin_mono_s"],
            end_mono_s=row["end_mono_s"],
            peak=row["peak"],
            peak_mono_s=row["peak_mono_s"],
            mean=row["mean"],
            frames=row["frames"],
            engine=origin.engine,
            bundle=origin.bundle,
            camera=origin.camera,
            runner_up=None if runner_up is None else Candidate(self.texts.label(runner_up), row["runner_up_score"]),
            box=_box(row),
            fallback=origin.fallback,
            temperature_c=row["temperature_c"],
            latitude=origin.latitude,
            longitude=origin.longitude,
        )
        return StoredEvent(
            number=row["number"],
            event=event,
            begin_wall_s=row["begin_ms"] / 1000,
            end_wall_s=row["end_ms"] / 1000,
            clock=clock_of(row["clock"]),
            mark=mark,
            exported=bool(row["state"] & schema.EXPORTED),
            pictures=pictures,
        )

    def _marks(self, numbers: Sequence[int]) -> dict[int, Mark]:
        if not numbers:
            return {}
        rows = self._connection.execute(
            f"SELECT event, verdict, label, by_whom, wall_s FROM marks WHERE event IN ({places(numbers)})", numbers
        )
        return {
            event: Mark(
                verdict=cast(Verdict, verdict),
                label=None if label is None else self.texts.label(label),
                by=by,
                wall_s=wall_s,
            )
            for event, verdict, label, by, wall_s in rows
        }

    def _pictures(self, events: Sequence[Mapping[str, Any]]) -> dict[int, tuple[StoredPicture, ...]]:
        numbers = [event["number"] for event in events]
        offsets = {event["number"]: event["begin_ms"] / 1000 - event["begin_mono_s"] for event in events}
        rows = self._connection.execute(
            "SELECT event, kind, file, size, width, height, captured_mono_s, sha256"
            f" FROM pictures INDEXED BY pictures_of WHERE event IN ({places(numbers)}) ORDER BY event, id",
            numbers,
        )
        grouped = groupby(rows, key=lambda row: int(row[0]))
        return {event: tuple(self._picture(row, offsets[event]) for row in some) for event, some in grouped}

    def _picture(self, row: tuple[Any, ...], offset_s: float) -> StoredPicture:
        _, kind, file, size, width, height, captured_mono_s, sha256 = row
        return StoredPicture(
            kind=cast(PictureKind, kind),
            path=self._folder / file,
            size=size,
            width=width,
            height=height,
            captured_mono_s=captured_mono_s,
            captured_wall_s=round(captured_mono_s + offset_s, 3),
            sha256=sha256.hex(),
        )


def _box(row: Mapping[str, Any]) -> Box | None:
    if row["box_left"] is None:
        return None
    return row["box_left"], row["box_top"], row["box_width"], row["box_height"]


def places(values: Iterable[object]) -> str:
    """Return as many question marks as there are values, for a statement."""
    return ", ".join("?" for _ in values)


def clock_of(rank: int) -> ClockQuality:
    """Return the quality of a clock that is stored as this rank."""
    return cast(ClockQuality, schema.CLOCKS[rank])


def rank_of(clock: ClockQuality) -> int:
    """Return what a quality is stored as: the better, the higher."""
    return schema.CLOCKS.index(clock)


def all_files(connection: sqlite3.Connection, query: str, folder: Path) -> Iterator[str]:
    """Yield the paths that a query finds, page by page. query: gives keys above one, in order, with their files."""
    # As texts: there may be 200,000, and a Path takes ten times as long.
    after = -1
    while rows := connection.execute(query, (after, MOST_IN_ONE)).fetchall():
        yield from (os.path.join(folder, file) for _, file in rows)  # noqa: PTH118
        after = rows[-1][0]


def file_text(path: Path, folder: Path) -> str:
    """Return how a file is stored: relative to the store's folder if it is in there, so that both can be copied."""
    path = path.absolute()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)

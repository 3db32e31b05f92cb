"""Find when each device was moved, from the places that its events hold."""

import sqlite3
from collections.abc import Iterator

from edge.store.records import Stay
from edge.store.texts import TextReader

# An event whose device or origin is another than that of the event before it.
_CHANGES = (
    "SELECT number, boot, origin FROM (SELECT number, boot, origin, lag(boot) OVER one AS last_boot,"
    " lag(origin) OVER one AS last_origin FROM events WINDOW one AS (ORDER BY number))"
    " WHERE boot IS NOT last_boot OR origin IS NOT last_origin"
)


def find(connection: sqlite3.Connection, texts: TextReader) -> Iterator[Stay]:
    """Yield where each device was from which event on, in the order in which events were stored.

    By their numbers and not by their times: a clock that is wrong would have devices go back to where they were.
    """
    places = connection.execute("SELECT DISTINCT latitude, longitude FROM origins LIMIT 2").fetchall()
    if len(places) == 1:  # as nearly always; else all events are looked at, 5 million of them for seconds
        for (device,) in connection.execute("SELECT DISTINCT device FROM boots"):
            yield Stay(1, device, *places[0])
        return
    last: dict[str, tuple[float | None, float | None]] = {}
    for number, boot_id, origin_id in connection.execute(_CHANGES):
        device, origin = texts.boot(boot_id).device, texts.origin(origin_id)
        place = origin.latitude, origin.longitude
        if device not in last or last[device] != place:
            last[device] = place
            yield Stay(number, device, *place)

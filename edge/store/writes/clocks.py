"""Wall times of events whose clock cannot be trusted: a place in the order, and the right time once it is known."""

import sqlite3

from edge.events.records import ClockQuality
from edge.events.wall_clock import worse_than
from edge.store import schema
from edge.store.counting import Counts
from edge.store.faults import sound_rows
from edge.store.rows import rank_of

# How far back to look for an event whose time can be trusted.
_LOOK_BACK = 1000
_NEWEST_TRUSTED = f"""
SELECT max(begin_ms) FROM (SELECT begin_ms, clock FROM events ORDER BY number DESC LIMIT {_LOOK_BACK}) WHERE clock > 0
"""
# What has a worse clock; and if a person set the clock again, what has the time of the first setting.
_WRONG = """boot = :boot AND (clock IN (SELECT value FROM json_each(:worse))
    OR clock = :again AND abs(begin_ms - (begin_mono_s + :offset) * 1000) > 1)
"""
_TO_MEND = f"SELECT number FROM events INDEXED BY to_mend WHERE clock < 3 AND {_WRONG} LIMIT :most"
_TIMES = """clock = :rank,
    begin_ms = CAST(round((begin_mono_s + :offset) * 1000) AS INTEGER),
    end_ms = CAST(round((end_mono_s + :offset) * 1000) AS INTEGER)
"""
_MENDED = f"UPDATE events SET {_TIMES} WHERE number IN (SELECT number FROM temp.changing)"
_MENDED_HOURS = f"UPDATE events SET hour = {schema.HOUR_OF_BEGIN} WHERE number IN (SELECT number FROM temp.changing)"
_MENDED_OPEN = f"UPDATE open_events SET {_TIMES} WHERE {_WRONG}"
_MENDED_SAMPLES = """
UPDATE samples SET clock = :rank, captured_ms = CAST(round((captured_mono_s + :offset) * 1000) AS INTEGER)
WHERE boot = :boot AND (clock IN (SELECT value FROM json_each(:worse))
    OR clock = :again AND abs(captured_ms - (captured_mono_s + :offset) * 1000) > 1)
"""


def not_before_the_last(connection: sqlite3.Connection, boot: int, times: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the times at which an event is listed: begin_ms, end_ms, rank of the clock.

    A board without a clock may begin at 1970. What it sees then did happen after all that is in the store, so the
    events of such a boot are moved, all by as much, to behind the newest event whose time is trusted.
    """
    begin_ms, end_ms, rank = times
    if rank > 0:
        return times
    (shift_ms,) = connection.execute("SELECT shift_ms FROM boots WHERE id = ?", (boot,)).fetchone()
    if shift_ms is None:
        (newest_ms,) = connection.execute(_NEWEST_TRUSTED).fetchone()
        with sound_rows():
            shift_ms = max(0, (begin_ms if newest_ms is None else newest_ms) - begin_ms)
        connection.execute("UPDATE boots SET shift_ms = ? WHERE id = ?", (shift_ms, boot))
    with sound_rows():
        return begin_ms + shift_ms, end_ms + shift_ms, rank


def mend(
    connection: sqlite3.Connection, counts: Counts, boot: str, offset_s: float, clock: ClockQuality, most: int
) -> int:
    """Give at most `most` events of this boot, and all its samples, the times that follow from a better clock, or from
    a person's second setting of it. Return how many events were given theirs."""
    rank = rank_of(clock)
    worse = f"[{', '.join(str(rank_of(other)) for other in worse_than(clock))}]"
    mended = 0
    for (of_boot,) in connection.execute("SELECT id FROM boots WHERE boot = ?", (boot,)).fetchall():
        values = {"rank": rank, "offset": offset_s, "boot": of_boot, "worse": worse}
        values["again"] = rank if clock == "hand" else None
        connection.execute(_MENDED_SAMPLES, values)
        connection.execute(_MENDED_OPEN, values)
        found = connection.execute(_TO_MEND, {**values, "most": most - mended}).fetchall()
        numbers = [number for (number,) in found]
        if numbers:
            with counts.changing(numbers):
                connection.execute(_MENDED, values)
                connection.execute(_MENDED_HOURS)
        mended += len(numbers)
    return mended

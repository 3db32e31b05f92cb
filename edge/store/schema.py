"""The tables of the store, and the steps by which an older store becomes a newer one.

Forward only: a store remembers how many of STEPS it has been through (`user_version`), and the writer takes it through
the rest in one transaction. A step that has been released is never edited: another one is added.

Times are whole milliseconds, `begin_ms` and `end_ms` of the wall clock, the same that readers get in seconds.
"""

import sqlite3
import uuid
from bisect import bisect_right

# "Fldf", so that `file` and we tell this file from any other SQLite database.
APPLICATION_ID = 0x466C6466
HOUR_S = 3600
HOUR_MS = HOUR_S * 1000
# Numbers of deleted events are counted by blocks of so many, so that "how many come after this one" needs no scan.
BLOCK = 4096

# The bounds of the bands of scores by which hours are counted. They are the thresholds that people type, so that such
# a count is a sum of whole bands; the events of a band that is cut are looked at one by one (by_band), 2 of 100 events
# of a usual classifier. Fixed by the tables: others need another step.
BAND_BOUNDS = (0.1, 0.2, 0.3, 0.4, *(percent / 100 for percent in range(50, 100)), 0.995, 0.999)
BANDS = range(len(BAND_BOUNDS) + 1)

# Under this key the store's file has 1 from when a writer opens it until it is closed: so long it needs its log.
IS_OPEN = "open"
# So many events are settled at once.
SETTLED_AT_ONCE = 4096

# Bits of `state`.
CHECKED, EXPORTED = 1, 2
# `clock` is the place in this order: the further, the better.
CLOCKS = ("none", "hand", "rtc", "ntp")

# `hour` from begin_ms, rounded down before 1970, too, which SQLite's division does not do.
HOUR_OF_BEGIN = f"((begin_ms + {HOUR_MS} * 1000000) / {HOUR_MS} - 1000000)"


def band_of(score: float) -> int:
    """Return the band that a score belongs to."""
    return bisect_right(BAND_BOUNDS, score)


# The pages that a commit touches are what it writes. A new event touches the last page of events and of by_identity,
# and no more: it is not `settled`. Some thousands at once get into the other indexes and the counts by hour, whose
# pages are then written once for many; until then readers look at them one by one. On a day of 10,000 events, each
# durable within 15 s, that wrote 42 MB instead of 74; 16 instead of 35 within 120 s (tools/bench_store.py). Text that
# repeats (labels, boots, origins) is kept once. Open events are apart, since a number must not be given before an event
# has ended.
#
# scores counts as hours does: least_N are the events of band N or above, so that any range of bands is a difference.
_FIRST = f"""
CREATE TABLE fieldfare (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE labels (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE boots (
    id INTEGER PRIMARY KEY, device TEXT NOT NULL, boot TEXT NOT NULL, shift_ms INTEGER, UNIQUE (device, boot)
);
CREATE TABLE origins (
    id INTEGER PRIMARY KEY, engine TEXT NOT NULL, bundle TEXT NOT NULL, camera TEXT NOT NULL, fallback TEXT,
    latitude REAL, longitude REAL
);
CREATE TABLE events (
    number INTEGER PRIMARY KEY, boot INTEGER NOT NULL, sequence INTEGER NOT NULL, origin INTEGER NOT NULL,
    label INTEGER NOT NULL, shown INTEGER NOT NULL, state INTEGER NOT NULL, settled INTEGER NOT NULL,
    hour INTEGER NOT NULL, begin_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, clock INTEGER NOT NULL,
    begin_mono_s REAL NOT NULL, end_mono_s REAL NOT NULL,
    peak REAL NOT NULL, band INTEGER NOT NULL, peak_mono_s REAL NOT NULL, mean REAL NOT NULL, frames INTEGER NOT NULL,
    runner_up INTEGER, runner_up_score REAL,
    box_left REAL, box_top REAL, box_width REAL, box_height REAL, temperature_c REAL
);
CREATE UNIQUE INDEX by_identity ON events (boot, sequence);
CREATE INDEX by_time ON events (begin_ms, shown, state, band) WHERE settled = 1;
CREATE INDEX by_band ON events (band, hour, shown, state, peak, begin_ms) WHERE settled = 1;
CREATE INDEX to_mend ON events (boot, clock) WHERE clock < 3;
CREATE TABLE hours (
    hour INTEGER NOT NULL, label INTEGER NOT NULL, state INTEGER NOT NULL, events INTEGER NOT NULL,
    PRIMARY KEY (hour, label, state)
) WITHOUT ROWID;
CREATE TABLE scores (
    hour INTEGER NOT NULL, label INTEGER NOT NULL, state INTEGER NOT NULL,
    {", ".join(f"least_{band} INTEGER NOT NULL" for band in range(57))},
    PRIMARY KEY (hour, label, state)
) WITHOUT ROWID;
CREATE TABLE missing (block INTEGER PRIMARY KEY, events INTEGER NOT NULL);
CREATE TABLE marks (
    event INTEGER PRIMARY KEY, verdict TEXT NOT NULL, label INTEGER, by_whom TEXT, wall_s REAL NOT NULL
);
CREATE TABLE pictures (
    id INTEGER PRIMARY KEY, event INTEGER NOT NULL, kind TEXT NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL, captured_mono_s REAL NOT NULL, sha256 BLOB NOT NULL
);
CREATE INDEX pictures_of ON pictures (event);
CREATE TABLE samples (
    number INTEGER PRIMARY KEY AUTOINCREMENT, boot INTEGER NOT NULL, captured_mono_s REAL NOT NULL,
    origin INTEGER NOT NULL, sample BLOB NOT NULL, captured_ms INTEGER NOT NULL, clock INTEGER NOT NULL,
    file TEXT NOT NULL, size INTEGER NOT NULL, sha256 BLOB NOT NULL, exported INTEGER NOT NULL,
    UNIQUE (boot, captured_mono_s)
);
CREATE TABLE open_events (
    boot INTEGER NOT NULL, sequence INTEGER NOT NULL, event BLOB NOT NULL,
    begin_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, clock INTEGER NOT NULL,
    begin_mono_s REAL NOT NULL, end_mono_s REAL NOT NULL,
    PRIMARY KEY (boot, sequence)
) WITHOUT ROWID;
"""

STEPS: tuple[str, ...] = (_FIRST,)


def version() -> int:
    """Return the version of stores that this Fieldfare writes and reads."""
    return len(STEPS)


def upgrade(connection: sqlite3.Connection) -> None:
    """Take an older or empty store through the steps that it has not been through, in one transaction."""
    (done,) = connection.execute("PRAGMA user_version").fetchone()
    if done == version():
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in STEPS[done:]:
            # executescript would commit first
            for statement in filter(str.strip, step.split(";")):
                connection.execute(statement)
        if done == 0:
            connection.execute("INSERT INTO fieldfare VALUES ('id', ?)", (uuid.uuid4().hex,))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version()}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def definitions(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """Return the names of all tables and indexes of a store, with the SQL that made them."""
    return set(
        connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql NOT NULL AND name NOT LIKE 'sqlite_%'")
    )


def right_definitions() -> set[tuple[str, str]]:
    """Return what `definitions` must be."""
    with sqlite3.connect(":memory:", isolation_level=None) as connection:
        upgrade(connection)
        found = definitions(connection)
    connection.close()
    return found

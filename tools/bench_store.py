"""Measure the store of events: how fast it answers when it is large, and what it writes when it is small.

    python tools/bench_store.py queries [--events 5000000] [--labels 8] [--days 500] [--file STORE] [--json]
    python tools/bench_store.py writing [--days 1] [--per-day 10000] [--folder FOLDER] [--json]

queries   Makes a store of that size with SQL (a minute or two; --file keeps it, or uses one that is there), then asks
          each kind of question several times, each time with a new reader, as a command does. The first of them reads
          from the disk if the file is not in memory. Prints median and worst in milliseconds, and the median of the
          processor time, which is the better figure on a busy machine. Scores are skewed as a
          classifier's are; one label has three events, one event in 5,000 is marked, the older half is exported.
writing   Adds a day's events one by one, with the commits that the setting durable_within_s brings about: when the
          oldest event that is not saved yet has waited for two thirds of it. No waiting in between, but every commit is
          a real one. Prints the bytes a day, of all files: what was handed to the kernel, what it wrote to the disk
          (write_bytes in /proc/self/io, whole pages of 4 KiB), and what the folder takes afterwards. The folder must
          be on a disk: in a tmpfs nothing counts as written.
"""

import argparse
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from edge.events.records import Event
from edge.results import Candidate
from edge.store import schema
from edge.store.files import files_of
from edge.store.reading import StoreReader
from edge.store.records import Filter
from edge.store.writes.adding import NewEvent
from edge.store.writing import StoreWriter

BEGAN_S = 1_750_000_000
BOOT = "4f6c1e0a9d6b4c19a0b0e7a7f0d3c2b1"
ROUNDS = 7


def main() -> int:
    arguments = parse_arguments()
    report = queries(arguments) if arguments.what == "queries" else writing(arguments)
    if arguments.json:
        print(json.dumps(report, indent=2))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    asking = commands.add_parser("queries")
    asking.add_argument("--events", type=int, default=5_000_000)
    asking.add_argument("--labels", type=int, default=8)
    asking.add_argument("--days", type=float, default=500)
    asking.add_argument("--file", type=Path)
    adding = commands.add_parser("writing")
    adding.add_argument("--days", type=float, default=1)
    adding.add_argument("--per-day", type=int, default=10_000)
    adding.add_argument("--folder", type=Path)
    for command in (asking, adding):
        command.add_argument("--json", action="store_true")
    return parser.parse_args()


# Queries


def queries(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-store-") as folder:
        path = arguments.file or Path(folder) / "events.db"
        if not path.exists():
            made_s = timed(lambda: make(path, arguments.events, arguments.labels, arguments.days))
            print(f"made {arguments.events:,} events in {made_s:.0f} s, {path.stat().st_size / 1e6:,.0f} MB")
        rows = {name: measure(path, question) for name, question in questions(path)}
    for name, row in rows.items():
        times = " ".join(f"{what} {row[f'{what}_ms']:7.1f}" for what in ("median", "worst", "processor"))
        print(f"{name:78} {times} ms {row['found']:>9,}")
    return rows


def measure(path: Path, question: Callable[[StoreReader], int]) -> dict[str, Any]:
    """Ask a question several times, each time with a new reader."""
    found, times_ms, processor_ms = 0, [], []
    for _ in range(ROUNDS):
        began_s, processor_began_s = time.perf_counter(), time.process_time()
        with StoreReader(path) as reader:
            found = question(reader)
        times_ms.append((time.perf_counter() - began_s) * 1000)
        processor_ms.append((time.process_time() - processor_began_s) * 1000)
    return {
        "median_ms": statistics.median(times_ms),
        "worst_ms": max(times_ms),
        "processor_ms": statistics.median(processor_ms),
        "found": found,
    }


def questions(path: Path) -> Iterator[tuple[str, Callable[[StoreReader], int]]]:
    """Yield each question with its name; its answer is how many it found."""
    with StoreReader(path) as reader:
        _, last = reader.numbers()
        newest = next(reader.events(Filter()))
        span_s = newest.begin_wall_s - BEGAN_S
    middle_s = BEGAN_S + span_s / 2
    filters = {
        "all": Filter(),
        "a common label": Filter(labels=("label 0",)),
        "a label with three events": Filter(labels=("rare",)),
        "a label that is not there": Filter(labels=("unicorn",)),
        "five days": Filter(since_wall_s=middle_s, until_wall_s=middle_s + 5 * 86_400 + 17),
        "seven minutes": Filter(since_wall_s=middle_s, until_wall_s=middle_s + 420),
        "score at least 0.9": Filter(least_score=0.9),
        "score at least 0.9371": Filter(least_score=0.9371),
        "score at most 0.6": Filter(most_score=0.6),
        "score 0.71234 to 0.71235": Filter(least_score=0.71234, most_score=0.71235),
        "score 0.9961 to 0.9962 (none)": Filter(least_score=0.9961, most_score=0.9962),
        "checked": Filter(checked=True),
        "not checked": Filter(checked=False),
        "exported": Filter(exported=True),
        "not exported": Filter(exported=False),
        "a common label, 0.9371 or more, not checked, half the time": Filter(
            labels=("label 0",), least_score=0.9371, checked=False, since_wall_s=middle_s
        ),
        "a rare label, at most 0.6, exported": Filter(labels=("rare",), most_score=0.6, exported=True),
    }
    for name, wanted in filters.items():
        yield f"newest 50: {name}", lambda reader, w=wanted: len(list(reader.events(w, limit=50)))
        yield (
            f"oldest 50: {name}",
            lambda reader, w=wanted: len(list(reader.events(w, limit=50, newest_first=False))),
        )
        yield f"count: {name}", lambda reader, w=wanted: reader.count(w)
        yield f"by hour and label: {name}", lambda reader, w=wanted: len(reader.hours(w))
    yield "labels", lambda reader: len(reader.labels())
    yield "find by number", lambda reader: int(reader.find(str(last // 2)) is not None)
    yield "find by name", lambda reader: int(reader.find(newest.event.name) is not None)
    yield "100 after a number", lambda reader: len(reader.after(last // 2, 100))
    yield "how many after a number", lambda reader: reader.count_after(last // 3)


def make(path: Path, events: int, labels: int, days: float) -> None:
    """Make a store with so many events, quickly: its indexes are made last, and nothing is synced."""
    with StoreWriter(path) as writer:
        writer.add_events([(event(0, 0.0, "rare"), BEGAN_S, BEGAN_S + 3, "ntp", ())])
    connection = sqlite3.connect(path, isolation_level=None)
    connection.create_function("band_of", 1, schema.band_of, deterministic=True)
    for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute("BEGIN")
    fill(connection, events, labels, days * 86_400 / events)
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def fill(connection: sqlite3.Connection, events: int, labels: int, every_s: float) -> None:
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'events' AND sql NOT NULL"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    connection.executemany("INSERT OR IGNORE INTO labels (text) VALUES (?)", [(f"label {n}",) for n in range(labels)])
    (first,) = connection.execute("SELECT id FROM labels WHERE text = 'label 0'").fetchone()
    label = f"{first} + CAST(a * a * {labels} AS INTEGER)"
    # A random number squared makes low labels common; the scores of a classifier crowd below 1. The numbers come from
    # multiplying, since SQLite may work out random() anew wherever a column is used.
    a, b, c = (f"(i * {factor} % 4294967296 / 4294967296.0)" for factor in (2654435761, 1597334677, 3266489917))
    connection.execute(
        f"""
        WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {events}),
        d AS (SELECT i, {a} AS a, 1 - 0.6 * pow({b}, 3) AS peak,
              CAST({BEGAN_S * 1000} + i * {every_s * 1000} + {c} * {every_s * 500} AS INTEGER) AS begin_ms FROM n)
        INSERT INTO events
        SELECT i, 1, i * 1000, 1, {label}, {label},
            (i % 5000 = 7) + 2 * (i < {events // 2}), (i <= {events - 3000}), begin_ms / 3600000,
            begin_ms, begin_ms + 4000, 3,
            (begin_ms / 1000.0) - {BEGAN_S}, (begin_ms / 1000.0) - {BEGAN_S} + 4, peak, band_of(peak),
            (begin_ms / 1000.0) - {BEGAN_S} + 1.5, peak * 0.9, 40, {first} + i % {labels}, (1 - peak) / 2,
            NULL, NULL, NULL, NULL, 51.5
        FROM d
        """
    )
    connection.execute("UPDATE events SET settled = 1 WHERE number = 1")
    rare = ", ".join(str(events * k // 4) for k in (1, 2))
    connection.execute(
        f"UPDATE events SET (label, shown) = (SELECT id, id FROM labels WHERE text = 'rare') WHERE number IN ({rare})"
    )
    connection.execute("INSERT INTO marks SELECT number, 'right', NULL, NULL, 0 FROM events WHERE state & 1")
    for _, sql in indexes:
        connection.execute(sql)
    connection.execute("DELETE FROM hours")
    bands = ", ".join(f"sum(band >= {number})" for number in schema.BANDS)
    for table, counts in (("hours", "count(*)"), ("scores", bands)):
        rows = "FROM events WHERE settled = 1 GROUP BY 1, 2, 3"
        connection.execute(f"INSERT INTO {table} SELECT hour, shown, state, {counts} {rows}")
    connection.execute("INSERT OR REPLACE INTO fieldfare VALUES ('settled', ?)", (events - 3000,))


# Writing


def writing(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.folder is not None:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    report = {}
    for within_s in (15, 120):
        with tempfile.TemporaryDirectory(prefix="bench-store-", dir=arguments.folder) as folder:
            row = simulate(Path(folder) / "events.db", arguments.days, arguments.per_day, within_s)
        report[f"durable within {within_s} s"] = row
        print(f"durable within {within_s:3} s: " + ", ".join(f"{name} {value:,.1f}" for name, value in row.items()))
    return report


def simulate(path: Path, days: float, per_day: int, within_s: float) -> dict[str, float]:
    every_s = 86_400 / per_day
    drawn = random.Random(2)
    waiting: list[NewEvent] = []
    took_s: list[float] = []
    before = written()
    with StoreWriter(path) as writer:
        for number in range(int(days * per_day)):
            ended_s = number * every_s
            # The commit comes when the oldest has waited long enough, which is before this one ends.
            if waiting and ended_s - waiting[0][0].end_mono_s > within_s * 2 / 3:
                took_s.append(timed(partial(writer.add_events, waiting)))
                waiting = []
            made = event(number, ended_s, f"label {int(drawn.random() ** 2 * 8)}", peak=1 - 0.6 * drawn.random() ** 3)
            waiting.append((made, BEGAN_S + made.begin_mono_s, BEGAN_S + made.end_mono_s, "ntp", ()))
        writer.add_events(waiting)
    after = written()
    return {
        "commits a day": len(took_s) / days,
        "handed to the kernel, MB/day": (after["wchar"] - before["wchar"]) / days / 1e6,
        "written to the disk, MB/day": (after["write_bytes"] - before["write_bytes"]) / days / 1e6,
        "left, MB/day": sum(file.stat().st_size for file in files_of(path) if file.exists()) / days / 1e6,
        "median commit, ms": statistics.median(took_s) * 1000,
        "worst commit, ms": max(took_s) * 1000,
    }


def event(number: int, ended_s: float, label: str, peak: float = 0.93) -> Event:
    return Event(
        device="trap-3",
        boot=BOOT,
        sequence=int(ended_s * 1000) + number,
        label=label,
        begin_mono_s=ended_s - 4.321,
        end_mono_s=ended_s,
        peak=peak,
        peak_mono_s=ended_s - 1.234,
        mean=peak * 0.91234,
        frames=87,
        engine="LiteRT 2.1.0, CPU, 2 threads",
        bundle="0123456789abcdef0123456789abcdef",
        camera="/dev/video0",
        runner_up=Candidate("rare", (1 - peak) / 2),
        temperature_c=51.5,
        latitude=52.1,
        longitude=11.6,
    )


def written() -> dict[str, int]:
    lines = Path("/proc/self/io").read_text().splitlines()
    return {name: int(value) for name, value in (line.split(": ") for line in lines)}


def timed(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


if __name__ == "__main__":
    sys.exit(main())

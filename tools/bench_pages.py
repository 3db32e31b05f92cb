#!/usr/bin/env python3
"""Measure what the pages take, and how fast they answer.

    python tools/bench_pages.py memory [--requests 10000] [--json]
    python tools/bench_pages.py list [--events 1000000] [--file STORE] [--rounds 40] [--json]

memory    Serves a store of 5,000 events with pictures as a process of its own, and asks for all pages, found by
          following links, and their pictures, one after another. Prints its proportional memory (PSS) at the begin and
          after 500 requests (at most 60 MiB), and what it shares with nobody: after 500, after 6,000 (at most 2 MiB
          more), and its slope over --requests more, by least squares and as the difference of the medians of the last
          and the second quarter. In between, Python's table of strings that are kept once (sys.intern, which pathlib
          calls with each part of a path) doubles, to 1.8 MiB, and then stays.
list      Serves a store of so many events, and asks for the first page of the list, one far behind, some choices, and
          the counts. A process of its own for each; the first answer apart from the rest. Prints median, quarters and
          worst of the time from the request to the whole answer, and the server's processor time for each, which is the
          better figure on a busy machine. The first page's median must be under 150 ms.

The load is printed beside the times. Ends with status 1 if a line is missed.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edge.store.reading import StoreReader
from edge.store.records import Filter
from tools.bench_store import make
from tools.driving.client import Client
from tools.driving.served import Served, served
from tools.driving.sorted_store import sort_some
from tools.driving.tour import take
from tools.make_store import made_events, make_store
from tools.soaking.memory import Sample, look, slope

MOST_PSS_MIB, MOST_LIST_MS = 60.0, 150.0
# The allocator takes pages in pieces: less than this is none.
MOST_SLOPE_MIB = 0.5
# What Python's table takes when it doubles (0.9 MiB), and as much again.
MOST_STEP_MIB = 2.0
FIRST, SETTLED = 500, 6000
SAMPLES = 100
EVENTS = 5000
LABELS, DAYS = 8, 500.0


def main() -> int:
    given = parse_arguments()
    report = about() | (memory(given.requests) if given.what == "memory" else listing(given))
    report["load_after"] = os.getloadavg()[0]
    if given.json:
        print(json.dumps(report, indent=2))
    else:
        for name, value in report.items():
            print(f"{name:28} {value:.2f}" if isinstance(value, float) else f"{name:28} {value}")
    return 0 if report["within"] else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    remembering = commands.add_parser("memory")
    remembering.add_argument("--requests", type=int, default=10_000)
    asking = commands.add_parser("list")
    asking.add_argument("--events", type=int, default=1_000_000)
    asking.add_argument("--file", type=Path)
    asking.add_argument("--rounds", type=int, default=40)
    for command in (remembering, asking):
        command.add_argument("--json", action="store_true")
    return parser.parse_args()


def about() -> dict[str, Any]:
    """Return what the figures are of."""
    versions = {name: importlib.metadata.version(name) for name in ("starlette", "uvicorn", "jinja2", "msgspec")}
    return {
        "platform": f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}",
        "versions": f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version}" for name, version in versions.items()),
        "load_before": os.getloadavg()[0],
    }


# Memory


def memory(requests: int) -> dict[str, Any]:
    """Ask for all pages in turn, and look at the memory of the process."""
    with tempfile.TemporaryDirectory(prefix="bench-pages-") as folder:
        store = Path(folder) / "events.db"
        make_store(store, made_events(EVENTS, side=64, boxes=True))
        sort_some(store)
        with served(store) as site:
            client = Client(site.address)
            begun = sample(site, 0)
            asked = cycle([one for found in take(client).addresses.values() for one in found])
            for _ in range(FIRST):
                client.get(next(asked))
            first = sample(site, FIRST)
            for _ in range(FIRST, SETTLED):
                client.get(next(asked))
            samples = [sample(site, SETTLED)]
            for number in range(1, requests + 1):
                client.get(next(asked))
                if number % max(1, requests // SAMPLES) == 0:
                    samples.append(sample(site, SETTLED + number))
            client.close()
    return judged(begun, first, samples)


def judged(begun: Sample, first: Sample, samples: list[Sample]) -> dict[str, Any]:
    values, own = [one.pss_mib for one in samples], [one.own_mib for one in samples]
    quarter = max(1, len(values) // 4)
    drift_mib = statistics.median(own[-quarter:]) - statistics.median(own[quarter : 2 * quarter])
    slope_mib = slope(samples, "own_mib") * 10_000
    settled = own[0] - first.own_mib <= MOST_STEP_MIB
    return {
        "pss_begin_mib": begun.pss_mib,
        f"pss_after_{FIRST}_mib": first.pss_mib,
        "pss_end_mib": values[-1],
        "pss_most_mib": max(first.pss_mib, *values),
        "own_mib": f"{first.own_mib:.1f} after {FIRST}, {own[0]:.1f} after {SETTLED}, {own[-1]:.1f} at the end",
        "slope_mib_per_10000": slope_mib,
        "drift_mib": drift_mib,
        "open_files": f"{first.open_files} to {samples[-1].open_files}",
        "threads": f"{first.threads} to {samples[-1].threads}",
        "within": first.pss_mib <= MOST_PSS_MIB and settled and min(slope_mib, drift_mib) <= MOST_SLOPE_MIB,
    }


def sample(site: Served, at: float) -> Sample:
    return look(at, {"pages": site.process.pid}, int(at))


# The list of a large store


def listing(given: argparse.Namespace) -> dict[str, Any]:
    """Ask a large store for its pages."""
    with tempfile.TemporaryDirectory(prefix="bench-pages-") as folder:
        store = given.file or Path(folder) / "events.db"
        if not store.exists():
            make(store, given.events, LABELS, DAYS)
        report: dict[str, Any] = {"events": given.events, "rounds": given.rounds}
        for name, path in questions(store).items():
            report[name] = timed(store, path, given.rounds)
        median_ms = report["first page"]["median_ms"]
    return report | {"median_ms": median_ms, "within": median_ms < MOST_LIST_MS}


def questions(store: Path) -> dict[str, str]:
    """Return the addresses by what they show."""
    with StoreReader(store) as reader:
        newest = next(reader.events(Filter()))
        _, last = reader.numbers()
    back_ms = round((newest.begin_wall_s - DAYS * 86_400 / 2) * 1000)
    return {
        "first page": "/events",
        "half way back": f"/events?before={back_ms}-{last // 2}",
        "a common label": "/events?label=label+0",
        "a rare label": "/events?label=rare",
        "score from 90": "/events?least=90",
        "not checked": "/events?checked=no",
        "one event": f"/events/{last // 2}",
        "counts": "/counts",
        "status": "/status",
    }


def timed(store: Path, path: str, rounds: int) -> dict[str, float]:
    """Return how long the answer takes, in ms."""
    with served(store) as site:
        client = Client(site.address)
        times_ms: list[float] = []
        spent_s = 0.0
        for _ in range(rounds + 1):
            if len(times_ms) == 1:
                spent_s = processor_s(site)
            began_s = time.perf_counter()
            answer = client.get(path)
            times_ms.append((time.perf_counter() - began_s) * 1000)
            if answer.status != 200:
                raise SystemExit(f"{path}: answered with {answer.status}")
        client.close()
        processor_ms = (processor_s(site) - spent_s) / rounds * 1000
    first_ms, *rest = times_ms
    quarters = statistics.quantiles(rest, n=4)
    figures = {
        "median_ms": statistics.median(rest),
        "quarter_ms": quarters[0],
        "three_quarters_ms": quarters[2],
        "worst_ms": max(rest),
        "first_ms": first_ms,
        "processor_ms": processor_ms,
    }
    return {name: round(value, 1) for name, value in figures.items()}


def processor_s(site: Served) -> float:
    """Return the processor time that the server has used."""
    words = Path(f"/proc/{site.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())

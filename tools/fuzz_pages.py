#!/usr/bin/env python3
"""Send the pages requests that no browser sends: is each answered, without a fault of ours, and does nothing grow?

    python tools/fuzz_pages.py [--requests 120000] [--seed 0]

Serves a store of its own without a password (three fifths of the requests) and with one (a stranger's requests), and
photos to be labelled, as processes of their own over a port of this machine. Routes, addresses and words are taken from
the application and its pages. Requests go one after another. A fault is an answer of 500 or above, no answer, a
traceback or an error in the log, an end of the process; growth is judged by the memory that the process shares with
nobody, once it has answered 16,000 requests, as each site does with the default: more than 1 MiB in 10,000 fails. Ends
with status 1 if anything was found.
"""

import argparse
import http.client
import platform
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edge.pages.application import pages
from edge.pages.sorting.routes import ON_DESKTOP
from tools.driving.client import Answer, Client
from tools.driving.fuzzing import Fuzz, Made
from tools.driving.served import Served, labelling, served, set_password
from tools.driving.sorted_store import sort_some
from tools.driving.tour import Tour, take
from tools.make_store import made_events, make_store
from tools.soaking.memory import Sample, look, slope

EVENTS = 300
SAMPLES = 20
MOST_GROWTH_MIB = 1.0
# Until then it is warming up: `fieldfare label` took 35.9 MiB at its start, 39.5 after 16,000 requests, and 39.7 after
# 32,000; in `fieldfare serve` a table of Python's doubles after some 4,300 (tools/bench_pages.py).
WARM = 16_000
# A disk that is full, a process that is busy or a service that is gone is no fault of ours: answers in words.
_IN_WORDS = (503, 507)
# One of so many requests is a stranger's, and one goes to photos that are labelled.
STRANGERS = LABELLING = 5
PHOTOS = 60
Table = Sequence[tuple[str, str]]


@dataclass
class Found:
    """What came of the requests. answers: how many of each route and status."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    @property
    def growth_mib(self) -> float | None:
        """By how many MiB the process grows in 10,000 requests, once it is warm; None if it never was."""
        late = [sample for sample in self.samples if sample.at >= WARM]
        return slope(late, "own_mib") * 10_000 if len(late) > 2 else None


def fuzz(site: Served, tour: Tour, table: Table, requests: int, seed: int, cookie: str = "") -> Found:
    """Send so many requests."""
    found, maker, client = Found(), Fuzz(random.Random(seed), tour, site.address, table), Client(site.address)
    client.cookie = cookie
    every = max(1, requests // SAMPLES)
    for number in range(requests):
        if number % every == 0:
            found.samples.append(look(number, {"pages": site.process.pid}, number))
        request = maker.make()
        answer = ask(client, request)
        found.answers[request.route, answer.status if answer else 0] += 1
        if answer is None or (answer.status >= 500 and answer.status not in _IN_WORDS) or b"Traceback" in answer.body:
            status = answer.status if answer else "no answer"
            found.faults.append(f"{number}: {request.method} {request.path[:200]} {request.body[:200]!r}: {status}")
        if site.process.poll() is not None:
            found.faults.append(f"{number}: the process ended with {site.process.returncode}")
            break
    client.close()
    log = site.reported()
    found.faults += [f"log: {line[:300]}" for line in log.splitlines() if "Traceback" in line or " ERROR " in line]
    return found


def ask(client: Client, request: Made) -> Answer | None:
    """Send one. Returns None if it is not answered."""
    try:
        return client.send(request.method, request.path, request.body, request.headers)
    except (http.client.HTTPException, OSError):
        client.close()
        return None


def report(name: str, found: Found, took_s: float) -> bool:
    """Print what came of it. Returns whether all is well."""
    print(f"\n{name}: {found.answers.total():,} requests in {took_s:.0f} s")
    for route in sorted({route for route, _ in found.answers}):
        counts = {status: count for (one, status), count in sorted(found.answers.items()) if one == route}
        print(f"  {route:42}" + "  ".join(f"{status}: {count}" for status, count in counts.items()))
    first, last = found.samples[0], found.samples[-1]
    print(f"  PSS {first.pss_mib:.1f} to {last.pss_mib:.1f} MiB")
    growth = found.growth_mib
    grown = "growth not measured" if growth is None else f"{growth:+.2f} MiB in 10,000 requests"
    print(f"  own {first.own_mib:.1f} to {last.own_mib:.1f} MiB, {grown}")
    print(f"  open files {first.open_files} to {last.open_files}, threads {first.threads} to {last.threads}")
    for fault in found.faults[:20]:
        print(f"  FAULT {fault}")
    print(f"  faults: {len(found.faults)}")
    return not found.faults and (growth is None or growth <= MOST_GROWTH_MIB)


def main() -> int:
    """Send what the command line wants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=120_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, seed {given.seed}")
    with tempfile.TemporaryDirectory(prefix="fuzz-pages-") as folder:
        well = fuzz_store(Path(folder) / "events.db", given.requests - given.requests // LABELLING, given.seed)
        well.append(fuzz_label(Path(folder), given.requests // LABELLING, given.seed))
        return 0 if all(well) else 1


def fuzz_label(folder: Path, requests: int, seed: int) -> bool:
    """Fuzz the pages that sort photos of a folder, as the person who was let in. Returns whether all was well.

    No training is begun: that is a command of its own, which takes minutes."""
    photos = folder / "photos"
    photos.mkdir()
    for number, made in enumerate(made_events(PHOTOS, side=64)):
        (photos / f"{number}.jpg").write_bytes(made.pictures[0][1])
    table = [(method, path) for path, _, method in ON_DESKTOP if path != "/sort/training"]
    with labelling(photos, "--class", "fox") as site:
        client = Client(site.address)
        client.cookie = client.get(site.opening).headers["set-cookie"].partition(";")[0]
        tour = take(client, ("/sort",), [path for method, path in table if method == "GET"])
        client.close()
        began_s = time.monotonic()
        found = fuzz(site, tour, table, requests, seed, client.cookie)
        return report("fieldfare label", found, time.monotonic() - began_s)


def fuzz_store(store: Path, requests: int, seed: int) -> list[bool]:
    """Fuzz the pages of a new store as whoever may see all of them, and then as a stranger. Returns how each went."""
    make_store(store, made_events(EVENTS, side=64, boxes=True))
    sort_some(store)
    table = [(one.method, one.path) for one in pages()]
    strangers = requests // (STRANGERS - 1)
    well = []
    for name, count in (("without a password", requests - strangers), ("a stranger, with a password", strangers)):
        with served(store) as site:
            if not well:
                client = Client(site.address)
                tour = take(client)
                client.close()
            began_s = time.monotonic()
            found = fuzz(site, tour, table, count, seed)
            well.append(report(name, found, time.monotonic() - began_s))
        set_password(store, "kestrel and hay")
    return well


if __name__ == "__main__":
    sys.exit(main())

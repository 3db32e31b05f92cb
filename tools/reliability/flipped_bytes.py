"""Flip bytes of the database between two starts: the service is up in time, and a damaged file is kept aside.

    python -m tools.reliability.flipped_bytes [--places 500] [--services 20] [--seed 1]

Each place gets a start of its own of the recorder, with a copy of a store of 2,000 events in which one byte differs: in
turn of the database that was closed in order, and of one whose log was left behind by a kill. Then the whole service
is started on stores with 25 flipped bytes each.

A byte inside a score or a time can become another score or time; no check can find that. It is counted as `changed`.
SQLite takes a changed byte in its log for the place where a power cut ended that, and drops what comes after it: `log
cut short`.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from edge.config.keeping import Events
from edge.errors import FieldfareError
from edge.store.records import StoredEvent
from tools.reliability.judging import identity_of, stored_events
from tools.reliability.report import heading, print_table, promise
from tools.reliability.service import ROOT, Service, prepare, write_settings

sys.path.insert(0, str(ROOT / "tests" / "edge" / "recorder"))
# The tests have a supervisor that a program scripts.
from running_recorder import RunningRecorder, event, settings

UP_S = 10.0
_PATIENCE_S = 60.0
_EVENTS = 2000
_AT_ONCE = 25
_NAME = "events.db"


@dataclass
class Found:
    """What became of the store.

    aside: it was set aside. told: the notice. kept_bytes: it is as it was, byte for byte, or only its log was taken in.
    changed: stored events that differ from what they were. fewer: events that are gone, though nothing was found.
    unreadable: what reading reports if it fails.
    """

    up_s: float
    aside: bool = False
    told: bool = False
    kept_bytes: bool = True
    changed: int = 0
    fewer: int = 0
    unreadable: str = ""

    @property
    def kind(self) -> str:
        """In one word."""
        if self.aside:
            return "set aside"
        if self.unreadable:
            return "found by readers"
        if self.fewer:
            return "log cut short"
        return "changed" if self.changed else "whole"


@dataclass
class Base:
    """A store to damage: its folder, and the events in it."""

    folder: Path
    events: dict[tuple[str, str, int], StoredEvent] = field(default_factory=dict)


def make_base(folder: Path, *, killed: bool) -> Base:
    """Keep events in a new store. killed: the recorder is killed afterwards, which leaves its log."""
    store = folder / _NAME
    with RunningRecorder(settings(store, events=Events(store=str(store), durable_within_s=1))) as recorder:
        labels = ("tit", "fox", "a label that is somewhat longer")
        for first in range(1, _EVENTS, 100):
            numbers = range(first, first + 100)
            tickets = [recorder.keep(event(number, label=labels[number % 3])) for number in numbers]
            recorder.wait_until_kept(*tickets)
        if not killed:
            recorder.finish()
    return Base(folder, {identity_of(stored): stored for stored in stored_events(store)})


def flip(folder: Path, places: int, rng: random.Random) -> None:
    """Flip bytes of the database and its log, each with the same chance."""
    files = [file for file in (folder / _NAME, folder / f"{_NAME}-wal") if file.exists()]
    sizes = [file.stat().st_size for file in files]
    for _ in range(places):
        [file] = rng.choices(files, sizes)
        with file.open("r+b") as handle:
            at = rng.randrange(file.stat().st_size)
            handle.seek(at)
            old = handle.read(1)[0]
            handle.seek(at)
            handle.write(bytes([old ^ rng.randrange(1, 256)]))


def one_place(base: Base, folder: Path, rng: random.Random) -> Found:
    """Flip one byte, start the recorder, keep one more event and look at what is there."""
    shutil.copytree(base.folder, folder)
    flip(folder, 1, rng)
    store = folder / _NAME
    before = store.read_bytes()
    began_s = time.monotonic()
    with RunningRecorder(settings(store, events=Events(store=str(store), durable_within_s=1))) as recorder:
        recorder.wait_for_pulse(lambda pulse: pulse.fault is None, _PATIENCE_S)
        found = Found(up_s=time.monotonic() - began_s)
        recorder.wait_until_kept(recorder.keep(event(_EVENTS + 10)))
        found.told = any(pulse.notice for pulse in recorder.pulses) or bool(
            recorder.wait_for_pulse(lambda _: True).notice
        )
        recorder.finish()
    look(found, store, base, before)
    shutil.rmtree(folder)
    return found


def look(found: Found, store: Path, base: Base, before: bytes) -> None:
    """Compare the store with what was in it."""
    aside = store.with_name(f"{_NAME}.damaged-1")
    found.aside = aside.exists()
    if found.aside:
        # Of a store with a log SQLite may have taken that in before it found the damage.
        found.kept_bytes = aside.read_bytes() == before or len(aside.read_bytes()) >= len(before)
        return
    try:
        now = {identity_of(stored): stored for stored in stored_events(store)}
    except FieldfareError as error:
        found.unreadable = str(error)
        return
    found.fewer = len(base.events.keys() - now.keys())
    found.changed = sum(now.get(identity, stored) != stored for identity, stored in base.events.items())


def one_service(base: Base, folder: Path, rng: random.Random) -> Found:
    """Flip 25 bytes and start the whole service."""
    folder.mkdir()
    prepare(folder)
    shutil.copytree(base.folder, folder / "state")
    store = folder / "state" / _NAME
    flip(store.parent, _AT_ONCE, rng)
    before = store.read_bytes()
    with Service(folder, write_settings(folder, store)) as service:
        service.start()
        up_s = service.wait_for(
            lambda status: status.state == "running" and status.events is not None and bool(status.events.stored),
            _PATIENCE_S,
        )
        status = service.status()
        found = Found(up_s=up_s if up_s is not None else float("inf"))
        found.told = status is not None and status.events is not None and bool(status.events.notice)
        service.stop()
    look(found, store, base, before)
    shutil.rmtree(folder)
    return found


def summary(name: str, found: Sequence[Found]) -> tuple[object, ...]:
    """Return a row of the table."""
    kinds = [one.kind for one in found]
    counts = [kinds.count(kind) for kind in ("set aside", "found by readers", "log cut short", "changed", "whole")]
    return name, len(found), *counts, f"{max(one.up_s for one in found):.1f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--places", type=int, default=500)
    parser.add_argument("--services", type=int, default=20)
    parser.add_argument("--parallel", type=int, default=4, help="recorders at the same time")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(heading())
    with tempfile.TemporaryDirectory(prefix="flipped-") as name, ThreadPoolExecutor(arguments.parallel) as pool:
        folder = Path(name)
        bases = [make_base(folder / str(killed), killed=killed) for killed in (False, True)]

        def place(number: int) -> Found:
            rng = random.Random(f"{arguments.seed} {number}")
            return one_place(bases[number % 2], folder / f"place {number}", rng)

        # A recorder mostly waits: for a pulse, for a commit to be due.
        single = list(pool.map(place, range(arguments.places)))
        rng = random.Random(arguments.seed)
        whole = [one_service(bases[number % 2], folder / "service", rng) for number in range(arguments.services)]
    head = ("start of", "starts", "set aside", "found by readers", "log cut short", "changed", "whole", "slowest s")
    rows = [summary("recorder, 1 byte", single)] if single else []
    rows += [summary(f"service, {_AT_ONCE} bytes", whole)] if whole else []
    print_table(head, rows)
    for one in [*single, *whole]:
        if one.unreadable:
            print(f"readers: {one.unreadable}")
    return promise(
        {
            f"up later than {UP_S:g} s": sum(one.up_s > UP_S for one in [*single, *whole]),
            "set aside and not told": sum(one.aside and not one.told for one in [*single, *whole]),
            "set aside and not kept": sum(not one.kept_bytes for one in [*single, *whole]),
        }
    )


if __name__ == "__main__":
    sys.exit(main())

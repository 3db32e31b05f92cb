#!/usr/bin/env python3
"""Measure what people who look at the live page cost the camera: `python tools/bench_watchers.py MODEL --labels L.txt`.

One service runs on a synthetic camera all the time, and is watched in turns: by nobody and without the process of the
pages, by nobody, by one, by five, and by one who sets the lens. Watchers send what the page's script sends: a request
each second, or for the lens ten, each for picture and figures together. The process of the pages has the priority that
its unit gives it. Watchers are other machines' browsers: here they are threads of this program, of the lowest priority.

flat out        every frame is classified, as fast as both cores can: whatever anybody computes is missing here.
30 frames/s     a camera: what is lost is lost in drops.

Each figure is the rate of decisions by the service's own status, as a share of the rate with nobody in the same round.
"""

import argparse
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edge.supervision.status import Status
from tools.bench_pipeline import make_bundle, next_status, running
from tools.make_store import made_events, make_store

ROOT = Path(__file__).resolve().parent.parent
# As Nice= in systemd/fieldfare-pages.service.
PAGES_NICE = 10
FOCUS = "&x=50&y=50&size=25"
# A worker stops showing 3 s after the last request, and may take half a second to see the first.
_SETTLE_S = 4.5


@dataclass(frozen=True, slots=True)
class Turn:
    """Who looks. pages: their process runs."""

    name: str
    pages: bool
    watchers: int = 0
    focusing: int = 0


TURNS = (
    Turn("nobody", pages=False),
    Turn("nobody, pages run", pages=True),
    Turn("1 watcher", pages=True, watchers=1),
    Turn("5 watchers", pages=True, watchers=5),
    Turn("1 at the lens", pages=True, watchers=1, focusing=1),
)


@dataclass
class Watcher:
    """A browser with the live page open. pictures: it got so many."""

    address: tuple[str, int]
    words: str
    every_s: float
    stop: threading.Event
    pictures: int = 0
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        line, had = http.client.HTTPConnection(*self.address, timeout=30), 1
        while not self.stop.is_set():
            began_s = time.monotonic()
            line.request("GET", f"/live/now?had={had}{self.words}")
            head, _, jpeg = line.getresponse().read().partition(b"\n")
            if jpeg:
                self.pictures += 1
                had = json.loads(head)["picture"]["number"]
            self.stop.wait(max(0.02, self.every_s - (time.monotonic() - began_s)))
        line.close()


@contextmanager
def watched(turn: Turn, store: Path, run_dir: Path) -> Iterator[list[Watcher]]:
    """Have the service of `run_dir` watched in the block."""
    with ExitStack() as stack:
        watchers: list[Watcher] = []
        if turn.pages:
            address, stop = stack.enter_context(served(store, run_dir)), threading.Event()
            watchers += [Watcher(address, "", 1.0, stop) for _ in range(turn.watchers)]
            watchers += [Watcher(address, FOCUS, 0.1, stop) for _ in range(turn.focusing)]
            for watcher in watchers:
                stack.callback(watcher.thread.join)
            stack.callback(stop.set)
        time.sleep(_SETTLE_S)
        yield watchers


@contextmanager
def served(store: Path, run_dir: Path) -> Iterator[tuple[str, int]]:
    """Serve the pages in the block. Yields their host and port. Raises SystemExit if they do not start."""
    command = ["nice", "-n", str(PAGES_NICE), sys.executable, "-m", "edge", "serve"]
    words = ["--store", str(store), "--run-dir", str(run_dir), "--port", "0"]
    with subprocess.Popen(
        [*command, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            found = re.search(r"http://([^:/]+):(\d+)", process.stdout.readline()) if process.stdout else None
            if found is None:
                raise SystemExit("the pages did not start")
            yield found[1], int(found[2])
        finally:
            process.send_signal(signal.SIGTERM)


def rate(first: Status, last: Status) -> float:
    return (last.counts.results - first.counts.results) / (last.updated_mono_s - first.updated_mono_s)


def measure(bundle: Path, store: Path, camera: tuple[object, ...], rounds: int, seconds: float) -> dict[str, object]:
    """Return the rates and losses of all turns with one camera, and print them."""
    rates: dict[str, list[float]] = {turn.name: [] for turn in TURNS}
    pictures: dict[str, list[float]] = {turn.name: [] for turn in TURNS}
    with running(bundle, "--source", "synthetic", *camera, "--quiet") as (process, file):
        next_status(file, time.monotonic() + 2.0, process)
        for number in range(rounds):
            # Forth and back, so that a machine that grows slower or faster is no difference between them.
            for turn in TURNS if number % 2 == 0 else reversed(TURNS):
                with watched(turn, store, file.parent) as watchers:
                    first = next_status(file, time.monotonic(), process)
                    before = [watcher.pictures for watcher in watchers]
                    last = next_status(file, first.updated_mono_s + seconds, process)
                    got = [watcher.pictures - count for watcher, count in zip(watchers, before, strict=True)]
                if watchers and not all(got):
                    raise SystemExit(f"{turn.name}: somebody got no picture: {got}")
                rates[turn.name].append(rate(first, last))
                took_s = last.updated_mono_s - first.updated_mono_s
                pictures[turn.name].append(max(got, default=0) / took_s)
    return report(rates, pictures)


def report(rates: dict[str, list[float]], pictures: dict[str, list[float]]) -> dict[str, object]:
    """Print a row for each turn, and return them."""
    alone, rows = rates[TURNS[0].name], {}
    for name, kept in rates.items():
        losses = [100 * (1 - theirs / ours) for theirs, ours in zip(kept, alone, strict=True)]
        rows[name] = {
            "decisions_a_second": statistics.median(kept),
            "loss_percent": statistics.median(losses),
            "spread_percent": [min(losses), max(losses)],
            "pictures_a_second": statistics.median(pictures[name]),
        }
        print(
            f"  {name:<18} {statistics.median(kept):7.1f} decisions/s, loss {statistics.median(losses):5.2f} % "
            f"({min(losses):.2f} to {max(losses):.2f}), {statistics.median(pictures[name]):.1f} pictures/s to one"
        )
    return rows


def main() -> None:
    """Measure with both cameras."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=12.0, help="for each turn; the status is written every 2 s")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = make_bundle(given.model, given.labels, folder / "bundle")
        make_store(folder / "events.db", made_events(10, side=16))
        for camera, words in (("flat out", ()), ("30 frames/s", ("--fps", 30))):
            print(
                f"\n{given.size}, {camera}: {given.rounds} rounds of {given.seconds:g} s each in turn; median (spread)"
            )
            sized = ("--size", given.size, *words)
            rows[camera] = measure(bundle, folder / "events.db", sized, given.rounds, given.seconds)
    if given.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measure what people who look at the live page cost the camera: `python tools/bench_watchers.py MODEL --labels L.txt`.

One service runs all the time, and is watched in turns: by nobody and without the process of the
pages, by nobody, by one, by five, and by one who sets the lens. Watchers send what the page's script sends: a request
each second, or for the lens ten, each for picture and figures together. The process of the pages has the priority that
its unit gives it. Watchers are other machines' browsers: here they are threads of this program, of low priority.

30 frames/s     a synthetic camera: what is lost is lost in drops.
flat out        recorded frames, each classified, as fast as the cores can: what anybody else computes is missing here.

Losses are of the rate of decisions by the service's own status, against the rate with nobody in the same round. Beside
them stands what a busy machine does not blur: the processor time of the pages and of the worker's thread that encodes.
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

from edge.board import Board
from tools.bench_pipeline import make_bundle, next_status, running, write_frames
from tools.make_store import made_events, make_store

ROOT = Path(__file__).resolve().parent.parent
# As Nice= in systemd/fieldfare-pages.service.
PAGES_NICE = 10
# As _NICE in edge/worker/showing/shower.py.
SHOW_NICE = 10
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
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), PAGES_NICE)
        line, had = http.client.HTTPConnection(*self.address, timeout=30), 1
        while not self.stop.is_set():
            began_s = time.monotonic()
            try:
                line.request("GET", f"/live/now?had={had}{self.words}")
                head, _, jpeg = line.getresponse().read().partition(b"\n")
            except (OSError, http.client.HTTPException):  # as a browser does on a busy machine: again
                line.close()
                continue
            if jpeg:
                self.pictures += 1
                had = json.loads(head)["picture"]["number"]
            self.stop.wait(max(0.02, self.every_s - (time.monotonic() - began_s)))
        line.close()


@dataclass
class Watch:
    """Who looks now. pid: of the pages; None if they do not run."""

    pid: int | None
    watchers: list[Watcher]

    def cpu_s(self, worker: int | None) -> float:
        """Return the processor time that looking has taken: of the pages, and of the worker's thread that encodes."""
        board = Board()
        return (board.cpu_s(self.pid) or 0.0 if self.pid else 0.0) + (shown_s(worker) if worker else 0.0)


def shown_s(worker: int) -> float:
    """Return the processor time of the worker's threads of low priority, of which there are no others here."""
    ticks = 0
    for path in Path(f"/proc/{worker}/task").glob("*/stat"):
        words = path.read_text().rpartition(")")[2].split()
        if int(words[16]) == SHOW_NICE:
            ticks += int(words[11]) + int(words[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def watched(turn: Turn, store: Path, run_dir: Path) -> Iterator[Watch]:
    """Have the service of `run_dir` watched in the block."""
    with ExitStack() as stack:
        watchers: list[Watcher] = []
        pid = None
        if turn.pages:
            (address, pid), stop = stack.enter_context(served(store, run_dir)), threading.Event()
            watchers += [Watcher(address, "", 1.0, stop) for _ in range(turn.watchers)]
            watchers += [Watcher(address, FOCUS, 0.1, stop) for _ in range(turn.focusing)]
            for watcher in watchers:
                stack.callback(watcher.thread.join)
            stack.callback(stop.set)
        time.sleep(_SETTLE_S)
        yield Watch(pid, watchers)


@contextmanager
def served(store: Path, run_dir: Path) -> Iterator[tuple[tuple[str, int], int]]:
    """Serve the pages in the block. Yields host and port, and the process. Raises SystemExit if they do not start."""
    command = ["nice", "-n", str(PAGES_NICE), sys.executable, "-m", "edge", "serve"]
    words = ["--store", str(store), "--run-dir", str(run_dir), "--port", "0"]
    with subprocess.Popen(
        [*command, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            found = re.search(r"http://([^:/]+):(\d+)", process.stdout.readline()) if process.stdout else None
            if found is None:
                raise SystemExit("the pages did not start")
            yield (found[1], int(found[2])), process.pid
        finally:
            process.send_signal(signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one turn came to. cpu_percent: of one core, by the pages and the thread that encodes."""

    decisions_a_second: float
    pictures_a_second: float
    cpu_percent: float


def measure(bundle: Path, store: Path, camera: tuple[object, ...], rounds: int, seconds: float) -> dict[str, object]:
    """Return the rates and losses of all turns with one camera, and print them."""
    found: dict[str, list[Figures]] = {turn.name: [] for turn in TURNS}
    with running(bundle, *camera, "--quiet") as (process, file):
        next_status(file, time.monotonic() + 2.0, process)
        for number in range(rounds):
            # Forth and back, so that a machine that grows slower or faster is no difference between them.
            for turn in TURNS if number % 2 == 0 else reversed(TURNS):
                with watched(turn, store, file.parent) as watch:
                    first = next_status(file, time.monotonic(), process)
                    before, cpu_s = [one.pictures for one in watch.watchers], watch.cpu_s(first.worker_pid)
                    last = next_status(file, first.updated_mono_s + seconds, process)
                    cpu_s = watch.cpu_s(last.worker_pid) - cpu_s
                    got = [one.pictures - count for one, count in zip(watch.watchers, before, strict=True)]
                if not all(got):
                    raise SystemExit(f"{turn.name}: somebody got no picture: {got}: the machine is too busy")
                took_s = last.updated_mono_s - first.updated_mono_s
                found[turn.name].append(
                    Figures(
                        (last.counts.results - first.counts.results) / took_s,
                        max(got, default=0) / took_s,
                        100 * cpu_s / took_s,
                    )
                )
    return report(found)


def report(found: dict[str, list[Figures]]) -> dict[str, object]:
    """Print a row for each turn, and return them."""
    alone, rows = found[TURNS[0].name], {}
    for name, kept in found.items():
        losses = [
            100 * (1 - one.decisions_a_second / nobody.decisions_a_second)
            for one, nobody in zip(kept, alone, strict=True)
        ]
        rows[name] = row = {
            "decisions_a_second": statistics.median(one.decisions_a_second for one in kept),
            "loss_percent": statistics.median(losses),
            "spread_percent": [min(losses), max(losses)],
            "pictures_a_second": statistics.median(one.pictures_a_second for one in kept),
            "cpu_percent": statistics.median(one.cpu_percent for one in kept),
        }
        print(
            f"  {name:<18} {row['decisions_a_second']:7.1f} decisions/s, loss {row['loss_percent']:5.2f} % "
            f"({min(losses):.2f} to {max(losses):.2f}), {row['pictures_a_second']:.1f} pictures/s to one, "
            f"{row['cpu_percent']:.1f} % of a core",
            flush=True,
        )
    return dict(rows)


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
        frames = write_frames(folder / "frames", *(int(side) for side in given.size.split("x")))
        cameras: dict[str, tuple[object, ...]] = {
            "30 frames/s": ("--source", "synthetic", "--size", given.size, "--fps", 30),
            "flat out": ("--source", frames, "--flat-out", "--loop"),
        }
        for camera, words in cameras.items():
            print(f"\n{given.size}, {camera}: {given.rounds} rounds of {given.seconds:g} s; medians", flush=True)
            rows[camera] = measure(bundle, folder / "events.db", words, given.rounds, given.seconds)
    if given.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()

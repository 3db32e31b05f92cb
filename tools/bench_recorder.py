#!/usr/bin/env python3
"""Measure what the recorder writes in a day, how late events are durable, and what it takes of memory and processor.

    python tools/bench_recorder.py [--events 10000] [--durable 15] [--hours 24] [--folder FOLDER] [--json]

A day is simulated: the recorder's own loop runs in this process, on a clock that jumps from moment to moment, and a
scripted supervisor sends events as a busy camera has them (at random moments, seen for 2 to 20 s, each heard of once a
second until a gap of 2 s ended it). All commits are real, so FOLDER must be on a disk, not in memory. Then a recorder
is started as a process, on that store, for memory and processor.

    written MB      by the kernel's count, all files, scaled to 24 hours
    late s          from the last frame of an event to its acknowledgement, in simulated seconds; no time passes during
                    a commit, so a real card adds its own
    PSS MiB         of the process, after 200 events with pictures
    idle %          of one core, while nothing comes
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.config.keeping import Events
from edge.config.settings import Settings
from edge.events.records import Event, PictureInfo
from edge.events.wall_clock import WallClock
from edge.processes.child import Child
from edge.processes.recorder_messages import (
    Finish,
    KeepEvent,
    Kept,
    RecorderBegin,
    RecorderChannel,
    RecorderLine,
    RecorderPulse,
    recorder_pair,
)
from edge.recorder.recorder import Recorder
from edge.recorder.written import WrittenToday, written_bytes

DAY_S = 86_400.0
GAP_S = 2.0
BOOT = "0123abcd-4567-89ab-cdef-0123456789ab"
WALL_S = 1_800_000_000.0
LABELS = [f"species {number}" for number in range(20)]
PICTURE_BYTES = 100_000
IDLE_S = 30.0


class Clock:
    """The simulated time, monotonic seconds."""

    def __init__(self) -> None:
        self.now = 1000.0


def make_folder(folder: Path | None) -> None:
    """Make the folder that an option names; end the program in words if that fails."""
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"--folder {folder} cannot be made ({error.strerror}): name a folder on a disk")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000, help="events in 24 hours")
    parser.add_argument("--durable", type=float, default=15.0, help="events.durable_within_s")
    parser.add_argument("--hours", type=float, default=24.0, help="how much of a day to simulate")
    parser.add_argument("--folder", type=Path, default=None, help="where the store is put, on a disk")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    make_folder(options.folder)
    with tempfile.TemporaryDirectory(prefix="bench-recorder-", dir=options.folder) as folder:
        store = Path(folder) / "events.db"
        settings = Settings(bundle="none", events=Events(store=str(store), durable_within_s=options.durable))
        figures = simulate(settings, options.events, options.hours * 3600)
        figures.update(measure_process(settings))
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:14} {value}")


def simulate(settings: Settings, events_a_day: int, seconds: float) -> dict[str, Any]:
    """Run a recorder through the simulated time."""
    before = written_bytes()
    if before is None:
        sys.exit("this kernel does not count what a process writes")
    clock = Clock()
    line, theirs = recorder_pair()
    wall = WallClock(clocks=lambda: (clock.now, WALL_S + clock.now), kernel=lambda: True)
    begin = RecorderBegin(settings, "garden", BOOT)
    began_s = time.monotonic()
    recorder = Recorder(RecorderChannel(theirs), begin, clock=wall, monotonic=lambda: clock.now, written=WrittenToday())
    supervisor = Supervisor(line, clock)
    ends_s = clock.now + seconds
    coming = arrivals(clock.now, ends_s, events_a_day / DAY_S)
    following = next(coming, None)
    while clock.now < ends_s:
        while following is not None and following[0] <= clock.now:
            supervisor.send(following[1])
            following = next(coming, None)
        recorder.turn()
        supervisor.listen()
        clock.now += 1.0
    line.send(Finish())
    recorder.turn()
    recorder.finish()
    supervisor.listen()
    after = written_bytes()
    if not after or after == before:
        sys.exit("nothing was counted as written: --folder must be on a disk, not in memory")
    days = seconds / DAY_S
    return {
        "events": supervisor.kept,
        "written MB": round((after - before) / 1e6 / days, 1),
        "late s, median": round(statistics.median(supervisor.late_s), 1),
        "late s, worst": round(max(supervisor.late_s), 1),
        "simulated in s": round(time.monotonic() - began_s, 1),
    }


class Supervisor:
    """Sends events, and notes when they are acknowledged."""

    def __init__(self, line: RecorderLine, clock: Clock) -> None:
        self._line, self._clock = line, clock
        self._ticket = 0
        self._ends: dict[int, float] = {}
        self.late_s: list[float] = []
        self.kept = 0

    def send(self, event: Event) -> None:
        """Send one."""
        self._ticket += 1
        if event.ended:
            self._ends[self._ticket] = event.end_mono_s
        self._line.send(KeepEvent(self._ticket, event))

    def listen(self) -> None:
        """Take in what came."""
        while True:
            try:
                message = self._line.receive()
            except EOFError:
                return
            if message is None:
                return
            if isinstance(message, RecorderPulse) and message.fault:
                sys.exit(message.fault)
            if isinstance(message, Kept):
                ended = [self._ends.pop(ticket) for ticket in message.tickets if ticket in self._ends]
                self.kept += len(ended)
                self.late_s += [self._clock.now - end_s for end_s in ended]


def arrivals(begin_s: float, end_s: float, rate: float) -> Iterator[tuple[float, Event]]:
    """Yield what the supervisor sends, with its times, in order."""
    dice = random.Random(14)
    messages: list[tuple[float, Event]] = []
    moment = begin_s
    while True:
        moment += dice.expovariate(rate)
        if moment >= end_s:
            break
        messages += heard_of(dice, moment)
    messages.sort(key=lambda message: message[0])
    yield from messages


def heard_of(dice: random.Random, begin_s: float) -> Iterator[tuple[float, Event]]:
    """Yield the forms of one event, with the times at which they come."""
    last_s = begin_s + dice.uniform(2.0, 20.0)
    label = LABELS[min(len(LABELS) - 1, int(dice.expovariate(0.4)))]
    known = {"label": label, "peak": dice.uniform(0.6, 1.0), "mean": dice.uniform(0.5, 0.6)}
    moment = begin_s + 1.0
    while moment < last_s:
        yield moment, make_event(begin_s, moment, ended=False, **known)
        moment += 1.0
    yield last_s + GAP_S, make_event(begin_s, last_s, ended=True, **known)


def make_event(begin_s: float, end_s: float, *, ended: bool, **known: Any) -> Event:
    """Return an event whose identity is its begin."""
    return Event(
        device="garden",
        boot=BOOT,
        sequence=int(begin_s * 1000),
        begin_mono_s=begin_s,
        end_mono_s=end_s,
        peak_mono_s=(begin_s + end_s) / 2,
        frames=int((end_s - begin_s) * 10),
        engine="litert 2.3.0",
        bundle="0123456789abcdef",
        camera="garden",
        temperature_c=round(40 + end_s % 10, 1),
        ended=ended,
        **known,
    )


def measure_process(settings: Settings) -> dict[str, Any]:
    """Start a recorder on the store, and measure its process."""
    line, theirs = recorder_pair()
    with theirs:
        child = Child("edge.recorder.main", [str(theirs.fileno()), str(os.getpid())], pass_fds=[theirs.fileno()])
    try:
        line.send(RecorderBegin(settings, "garden", BOOT))
        tickets = set(send_with_pictures(line, 200))
        while tickets:
            message = line.receive()
            if message is None:
                time.sleep(0.05)
            elif isinstance(message, Kept):
                tickets.difference_update(message.tickets)
        time.sleep(15.0)  # until it idles
        used_s, began_s = processor_s(child.pid), time.monotonic()
        time.sleep(IDLE_S)
        share = (processor_s(child.pid) - used_s) / (time.monotonic() - began_s)
        return {"PSS MiB": round(pss_kib(child.pid) / 1024, 1), "idle %": round(100 * share, 2)}
    finally:
        line.close()
        child.end(30.0)


def send_with_pictures(line: RecorderLine, count: int) -> Iterator[int]:
    """Send events that end now, each with a picture; yield their tickets."""
    jpeg = b"\xff\xd8\xff" + bytes(PICTURE_BYTES) + b"\xff\xd9"
    for ticket in range(1, count + 1):
        now = time.monotonic()
        file = os.memfd_create("picture")
        os.write(file, jpeg)
        info = PictureInfo(kind="best", captured_mono_s=now, width=640, height=480)
        event = make_event(now - 2.0, now, ended=True, label="new", peak=0.9, mean=0.8)
        line.send(KeepEvent(ticket, event, (info,)), [file])
        os.close(file)
        yield ticket


def pss_kib(pid: int) -> int:
    """Return the process' proportional set size."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def processor_s(pid: int) -> float:
    """Return the seconds that the process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()

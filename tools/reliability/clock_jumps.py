"""Let the wall clock jump: no timer is early or late, and every event is mended once the clock is right.

    python -m tools.reliability.clock_jumps [--seconds 12] [--events 3600]

The shim (shim.c) gives the service another wall clock, and reports whether a time server keeps it right. No other clock
changes.

First the service runs through one jump after the other. Each phase is compared with one in which the clock is right.
Then a recorder gets the events of an hour without a clock, and a clock at its end.
"""

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.config.keeping import Events
from tools.reliability.disk import build_shim
from tools.reliability.judging import read_notes, stored_events
from tools.reliability.report import heading, print_table, promise
from tools.reliability.service import GAP_S, ROOT, Service, keeps, prepare, wait_until, write_settings

sys.path.insert(0, str(ROOT / "tests" / "edge" / "recorder"))
from running_recorder import RunningRecorder, event, settings

_PATIENCE_S = 90.0
_FPS, _DURABLE_S = 30, 3.0
# On a machine that is shared with others anything may come this much later, and fewer frames be classified. A timer
# that followed the wall clock would be off by an hour, or by years.
_SLACK_S = 3.0
_LEAST_SHARE = 0.5
# People cannot tell a tenth of a second.
_RIGHT_S = 0.1
_HOUR_S, _YEARS_S = 3600, 3650 * 86_400


@dataclass
class Phase:
    """A time in which the wall clock is off by so many seconds.

    heard_s: from an event's last frame to its end being heard of; kept_s: to its acknowledgement; result_gap_s: between
    two results; status_gap_s: between two writings of the status.
    """

    name: str
    off_s: int
    synchronized: bool
    heard_s: list[float] = field(default_factory=list)
    kept_s: list[float] = field(default_factory=list)
    result_gap_s: list[float] = field(default_factory=list)
    status_gap_s: list[float] = field(default_factory=list)
    begin_s: float = 0.0
    end_s: float = 0.0

    def row(self) -> tuple[object, ...]:
        spans = (self.heard_s, self.kept_s, self.result_gap_s, self.status_gap_s)
        cells = [f"{min(span):.2f}-{max(span):.2f}" if span else None for span in spans]
        return self.name, f"{self.off_s:+d}", len(self.heard_s), *cells

    def off_time(self, calm: "Phase") -> int:
        """Count the timers that were early or late. calm: a phase in which the clock was right."""
        if not (self.heard_s and self.kept_s and self.result_gap_s and self.status_gap_s):
            return 1
        # If a frame is late, half of the gap ends a visit: edge/events/detect.py.
        return sum(
            (
                min(self.heard_s) < GAP_S / 2,
                max(self.heard_s) > max(calm.heard_s) + _SLACK_S,
                max(self.kept_s) > _DURABLE_S + _SLACK_S,
                max(self.result_gap_s) > _SLACK_S,
                len(self.result_gap_s) < _LEAST_SHARE * len(calm.result_gap_s),
                max(self.status_gap_s) > max(calm.status_gap_s) + _SLACK_S,
            )
        )


class FakeClock:
    """The wall clock of processes that are started with `variables`."""

    def __init__(self, folder: Path) -> None:
        self._offset, self._kernel = folder / "offset", folder / "kernel"
        self.variables: Mapping[str, str] = {
            "LD_PRELOAD": str(build_shim(folder)),
            "RELIABILITY_OFFSET": str(self._offset),
            "RELIABILITY_CLOCK": str(self._kernel),
        }

    def set(self, off_s: int, *, synchronized: bool) -> None:
        """Let it be off by so much from now on. synchronized: what the kernel reports."""
        # The kernel's word falls first, as when a person sets the clock, and rises last, as after a time server did.
        words = ((self._offset, f"{off_s:+d}\n"), (self._kernel, "synchronized" if synchronized else "free"))
        for file, text in words if synchronized else reversed(words):
            partial = file.with_suffix(".new")
            partial.write_text(text)
            partial.replace(file)


def run_phases(folder: Path, seconds: float) -> tuple[list[Phase], int, int]:
    """Return the phases, how many events the store has, and how many of them have no right time."""
    clock, store = FakeClock(folder), folder / "state" / "events.db"
    prepare(folder)
    to_1970 = -int(time.time()) + 600
    phases = [
        Phase("a boot in 1970", to_1970, synchronized=False),
        Phase("ten years ahead", _YEARS_S, synchronized=False),
        Phase("back to 1970", to_1970, synchronized=False),
        Phase("an hour ahead", _HOUR_S, synchronized=False),
        Phase("an hour behind", -_HOUR_S, synchronized=False),
        Phase("right, by a time server", 0, synchronized=True),
        Phase("ten years behind, by hand", -_YEARS_S, synchronized=False),
        Phase("right again", 0, synchronized=True),
    ]
    clock.set(phases[0].off_s, synchronized=False)
    arrived: list[float] = []

    def on_result(_: dict[str, Any]) -> None:
        arrived.append(time.monotonic())

    configured = write_settings(folder, store, fps=_FPS, durable_within_s=_DURABLE_S)
    with Service(folder, configured, clock.variables) as service:
        service.start(on_result=on_result)
        if service.wait_for(keeps, _PATIENCE_S) is None:
            raise SystemExit(f"clock_jumps: the service does not run: {service.log.read_text()[-2000:]}")
        updated: list[float] = []
        for phase in phases:
            clock.set(phase.off_s, synchronized=phase.synchronized)
            phase.begin_s = time.monotonic()
            while time.monotonic() - phase.begin_s < seconds:
                status = service.status()
                if status is not None and status.updated_mono_s not in updated[-1:]:
                    updated.append(status.updated_mono_s)
                time.sleep(0.02)
            phase.end_s = time.monotonic()
        service.stop()
        for phase in phases:
            measure(phase, service.notes, arrived, updated)
    wrong = [stored for stored in stored_events(store) if not is_right(stored.begin_wall_s, stored.event.begin_mono_s)]
    untrusted = [stored for stored in stored_events(store) if stored.clock != "ntp"]
    return phases, sum(1 for _ in stored_events(store)), len(wrong) + len(untrusted)


def measure(phase: Phase, notes: Path, arrived: Sequence[float], updated: Sequence[float]) -> None:
    """Put the spans that ended in this phase into it."""

    def inside(moment_s: float) -> bool:
        return phase.begin_s <= moment_s < phase.end_s

    for what, spans in (("heard", phase.heard_s), ("kept", phase.kept_s)):
        for note in read_notes(notes, what).values():
            if inside(note["at_mono_s"]):
                spans.append(note["at_mono_s"] - note["end_mono_s"])
    for moments, spans in ((arrived, phase.result_gap_s), (updated, phase.status_gap_s)):
        spans += [after - before for before, after in itertools.pairwise(moments) if inside(after)]


def is_right(wall_s: float, mono_s: float) -> bool:
    """Return whether this wall time is that of this moment."""
    return abs(wall_s - mono_s - (time.time() - time.monotonic())) < _RIGHT_S


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Let processes that are started in the block have these variables."""
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]


def run_hour(folder: Path, count: int) -> tuple[int, int, int]:
    """Keep the events of an hour without a clock, then give it one. Return how many there are, how many of them had a
    time from 1970 before, and how many have no right time afterwards."""
    clock, store = FakeClock(folder), folder / "events.db"
    clock.set(-int(time.time()) + 600, synchronized=False)
    kept = settings(store, events=Events(store=str(store), durable_within_s=1))
    end_s = time.monotonic()
    with environment(clock.variables):
        recorder = RunningRecorder(kept)
    with recorder:
        for first in range(0, count, 100):
            tickets = []
            for number in range(first, min(first + 100, count)):
                at_s = end_s - _HOUR_S * (1 - number / count)
                times = {"begin_mono_s": at_s - 2, "peak_mono_s": at_s - 1, "end_mono_s": at_s}
                tickets.append(recorder.keep(event(number + 1, **times)))
            recorder.wait_until_kept(*tickets, patience_s=_PATIENCE_S)
        before = sum(stored.clock == "none" and stored.begin_wall_s < 1e9 for stored in stored_events(store))
        clock.set(0, synchronized=True)
        recorder.wait_for_pulse(lambda pulse: pulse.clock == "ntp", _PATIENCE_S)

        def wrong() -> int:
            return sum(
                stored.clock != "ntp" or not is_right(stored.end_wall_s, stored.event.end_mono_s)
                for stored in stored_events(store)
            )

        wait_until(lambda: not wrong(), 30)
        recorder.finish()
    return sum(1 for _ in stored_events(store)), before, wrong()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=12.0, help="of each phase")
    parser.add_argument("--events", type=int, default=3600, help="of the hour without a clock")
    arguments = parser.parse_args()
    print(heading())
    with tempfile.TemporaryDirectory(prefix="clock-") as name:
        phases, count, not_mended = run_phases(Path(name), arguments.seconds)
    head = (
        "the wall clock",
        "off by s",
        "events",
        "heard of after s",
        "on the disk after s",
        "results every s",
        "status every s",
    )
    print_table(head, [phase.row() for phase in phases])
    with tempfile.TemporaryDirectory(prefix="clock-") as name:
        of_hour, before, wrong = run_hour(Path(name), arguments.events)
    calm = next(phase for phase in phases if phase.synchronized)
    return promise(
        {
            "timers early or late": sum(phase.off_time(calm) for phase in phases),
            f"of {count} events without the right time at the end": not_mended,
            f"of {of_hour} events of an hour without a clock ({before} had one of 1970): without the right time": wrong,
            "of these missing": arguments.events - of_hour,
        }
    )


if __name__ == "__main__":
    sys.exit(main())

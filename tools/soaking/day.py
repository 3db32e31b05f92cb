"""The days of a soak.

A simulated day is what a day does to the service, not its length. It has 24 hours. Each does what is due in it, and
ends when its share of the minutes is over and all is done:

- at the end of every hour `fieldfare status` is run, and memory, files and bytes written are read;
- in every hour one fault is drawn with `FAULT_AN_HOUR`;
- at 3 on the first day of a week the service is stopped and started again, as for an update;
- at 12 all new events are exported;
- at 20 the schedule has it sleep, and wake up again.

Events come all the time, up to four a second, each with a picture: a day has at least `EVENTS_A_DAY`. What takes a day
of real time (rotation at midnight, summer time, heat, the ageing of a card) is not in it.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edge.supervision.status import Status
from tools.reliability.service import ROOT, keeps
from tools.soaking.faults import FAULTS, Fault
from tools.soaking.memory import Sample, Written, look
from tools.soaking.scene import PARTS, PATIENCE_S, Scene

HOURS, WEEK_HOURS, EVENTS_A_DAY = 24, 168, 400
FAULT_AN_HOUR = 0.5
RESTARTS_AT, EXPORTS_AT, SLEEPS_AT = 3, 12, 20
# Seconds from the signal until it sleeps, and until results come again.
ASLEEP_S, AWAKE_S = 15.0, 15.0
# Exit statuses of `fieldfare status` that report a state: results come, or none come at the moment.
_REPORTED = (0, 69)
_MODULE = [sys.executable, "-m", "edge"]


@dataclass
class Strike:
    """A fault that happened, monotonic. back_s: None if it took too long. gap_s: the longest time without a result."""

    fault: Fault
    begin_s: float
    back_s: float | None
    end_s: float = 0.0
    gap_s: float = 0.0

    @property
    def broken(self) -> bool:
        """Whether it went over one of its bounds."""
        late = self.back_s is None or self.back_s > self.fault.bound_s
        return late or (self.fault.gap_s is not None and self.gap_s > self.fault.gap_s)


@dataclass
class Log:
    """What happened. wrong: what a day does without a fault, and was not as it must be, in words."""

    hours: int = 0
    strikes: list[Strike] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("status", "export", "restart", "night"), 0))

    def did(self, what: str, fault: str | None) -> None:
        """Count it, and note what was wrong with it, None for nothing."""
        self.done[what] += 1
        if fault is not None:
            self.wrong.append(f"hour {self.hours}: {what}: {fault}")


def live(scene: Scene, hours: int, hour_s: float, rng: random.Random, faults: Sequence[Fault] = FAULTS) -> Log:
    """Let so many hours pass, each of `hour_s` seconds at least. Returns what happened."""
    log, written = Log(), Written()
    due = {EXPORTS_AT: export, SLEEPS_AT: sleep}
    for hour in range(hours):
        ends_s = time.monotonic() + hour_s
        if hour % WEEK_HOURS == RESTARTS_AT:
            restart(scene, log)
        if duty := due.get(hour % HOURS):
            duty(scene, log)
        if rng.random() < FAULT_AN_HOUR:
            strike(scene, log, draw(rng, faults), rng)
        while (left_s := ends_s - time.monotonic()) > 0:
            time.sleep(min(1.0, left_s))
            written.look(parts(scene).values())
        read_status(scene, log)
        log.samples.append(look(hour / HOURS, parts(scene), written.total))
        log.hours += 1
    return log


def draw(rng: random.Random, faults: Sequence[Fault]) -> Fault:
    """Draw one by weight."""
    return rng.choices(faults, [fault.weight for fault in faults])[0]


def strike(scene: Scene, log: Log, fault: Fault, rng: random.Random) -> None:
    """Let the fault happen to a service that is well, and wait until it is well again."""
    if not scene.is_well():
        log.wrong.append(f"hour {log.hours}: not well before {fault.name}")
    time.sleep(rng.uniform(0.0, 0.5))
    begin_s = time.monotonic()
    one = Strike(fault, begin_s, fault.strike(scene, rng))
    if not scene.is_well():
        one.back_s = None
    one.end_s = time.monotonic()
    one.gap_s = scene.longest_gap(begin_s, one.end_s)
    log.strikes.append(one)
    if sys.stderr.isatty() or one.broken:
        print(f"hour {log.hours}: {fault.name}: back after {one.back_s} s, gap {one.gap_s:.1f} s", file=sys.stderr)


def restart(scene: Scene, log: Log) -> None:
    """Stop the service and start it again."""
    with scene.no_results_due():
        scene.service.stop()
        scene.start()
    log.did("restart", None)


def export(scene: Scene, log: Log) -> None:
    """Export what no earlier export has taken."""
    out = scene.folder / f"export-{log.hours}"
    words = ["export", "--config", str(scene.settings), "--format", "csv", "--since-last", "--no-media"]
    done = run([*words, "--out", str(out)])
    log.did("export", None if done.returncode == 0 else f"status {done.returncode}: {done.stderr[-300:]}")


def sleep(scene: Scene, log: Log) -> None:
    """Have the schedule send it to sleep for some seconds, by settings that are read again."""
    hour = (time.gmtime().tm_hour + 12) % 24
    fault = None
    with scene.no_results_due():
        night = f'[schedule]\ntimezone = "UTC"\n[[schedule.awake]]\nfrom = "{hour:02}:00"\nto = "{hour:02}:30"\n'
        slept_s = reload(scene, night, lambda status: status.state == "asleep")
        time.sleep(2.0)
        woke_s = reload(scene, "", keeps)
        if slept_s is None or slept_s > ASLEEP_S or woke_s is None or woke_s > AWAKE_S:
            fault = f"asleep after {slept_s} s, awake after {woke_s} s"
    log.did("night", fault)


def reload(scene: Scene, more: str, fits: Callable[[Status], bool]) -> float | None:
    """Change the settings, and wait. Return the seconds until the status fits, None if it took too long."""
    scene.configure(more)
    os.kill(scene.service.pid, signal.SIGHUP)
    return scene.service.wait_for(fits, PATIENCE_S)


def read_status(scene: Scene, log: Log) -> None:
    """Run `fieldfare status`."""
    done = run(["status", "--run-dir", str(scene.folder / "run")])
    log.did("status", None if done.returncode in _REPORTED else f"status {done.returncode}: {done.stderr[-300:]}")


def run(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run `fieldfare` with these words."""
    return subprocess.run([*_MODULE, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def parts(scene: Scene) -> dict[str, int]:
    """Return the processes of the service that run now, by part."""
    found = {name: scene.service.part(name) for name in ("supervisor", *PARTS)}
    return {name: pid for name, pid in found.items() if pid is not None}

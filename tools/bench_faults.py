"""Measure how fast `fieldfare run --service` recovers from scripted faults.

    python tools/bench_faults.py MODEL COMPILED [--rounds 50] [--only NAME ...] [--parallel 4] [--json]

MODEL is a .tflite with metadata, COMPILED the same model compiled for the Edge TPU (models of ../shared:
mobilenet_v1_0.25_128_quant). The camera is the synthetic one, controlled through its script file. The Edge TPU is the
software one (edge/fakes), loaded by the runtime's real load_delegate and controlled through its script. The service is
started as systemd starts it. Every fault hits a service that runs well; a round is over when results are as before.
Several services run at the same time, each with its own faults, so the machine is busier than a real one.

Columns:
    median, worst   seconds until results come again: to the first result of a frame taken after the end of the fault
                    (stall, frozen, gone), or after its beginning (all others)
    limit, late     the seconds allowed, and how many rounds took longer
    TPU med, worst  seconds from the end of the fault to the first result of the Edge TPU

Counted over all rounds:
    stale           results older than 3 s when published
    frozen          results of frames taken while the camera was frozen, except the first
    wrong           results of an Edge TPU that answers garbage or repeats its answers (an int8 output cannot be NaN:
                    such a fault gives noise there)
    not fin         scores that are not finite
    zombies         processes left as zombies
"""

import argparse
import json
import os
import platform
import queue
import random
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.faults_bench.faults import FAULTS, Outcome
from tools.faults_bench.preparing import prepare
from tools.faults_bench.service import FPS, Service, zombies

STALE_S = 3.0


@dataclass
class Row:
    """All rounds of one fault."""

    name: str
    limit_s: float
    outcomes: list[Outcome] = field(default_factory=list)

    def text(self) -> str:
        again = [o.results_again_s for o in self.outcomes]
        back = [o.back_on_tpu_s for o in self.outcomes if o.back_on_tpu_s is not None]
        known = [value for value in again if value is not None]
        late = sum(value is None or value > self.limit_s for value in again)
        cells = [
            f"{self.name:<26}",
            f"{len(self.outcomes):>4}",
            f"{statistics.median(known):>7.2f}" if known else "      -",
            f"{max(known):>7.2f}" if known else "      -",
            f"{self.limit_s:>6.0f}",
            f"{late:>5}",
            f"{statistics.median(back):>7.1f}" if back else "      -",
            f"{max(back):>7.1f}" if back else "      -",
            f"{sum(o.stale for o in self.outcomes):>6}",
            f"{sum(o.frozen for o in self.outcomes):>7}",
            f"{sum(o.wrong for o in self.outcomes):>6}",
            f"{sum(o.not_finite for o in self.outcomes):>7}",
            f"{sum(o.zombies for o in self.outcomes):>8}",
        ]
        return " ".join(cells)


HEAD = (
    f"{'fault':<26} {'n':>4} {'median':>7} {'worst':>7} {'limit':>6} {'late':>5} {'TPU med':>7} {'worst':>7} "
    f"{'stale':>6} {'frozen':>7} {'wrong':>6} {'not fin':>7} {'zombies':>8}"
)


def main() -> int:
    arguments = parse_arguments()
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"ai-edge-litert {version('ai-edge-litert')}; {FPS} frames/s, {arguments.parallel} services at the same time"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle, library, answers = prepare(folder, arguments.model, arguments.compiled)
        names = [fault for fault in FAULTS if not arguments.only or any(word in fault for word in arguments.only)]
        rows = {fault: Row(fault, FAULTS[fault][1]) for fault in names}
        work: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
        for number in range(arguments.rounds):
            for fault in random.Random(number).sample(names, len(names)):
                work.put((fault, number))
        lock = threading.Lock()

        def run_service(number: int) -> None:
            home = folder / f"service{number}"
            home.mkdir()
            service = Service(home, bundle, library, answers)
            try:
                service.wait(time.monotonic(), on_tpu=True)
                while True:
                    try:
                        fault, round_number = work.get_nowait()
                    except queue.Empty:
                        return
                    outcome = one_round(service, fault, random.Random(f"{fault} {round_number}"))
                    with lock:
                        rows[fault].outcomes.append(outcome)
                        if arguments.verbose:
                            print(f"{fault} {round_number}: {outcome}", file=sys.stderr, flush=True)
            finally:
                service.close()
                if arguments.logs:
                    (arguments.logs / f"service{number}.log").write_text((home / "log").read_text())

        with ThreadPoolExecutor(arguments.parallel) as pool:
            list(pool.map(run_service, range(arguments.parallel)))
    print(HEAD)
    for row in rows.values():
        print(row.text())
    if arguments.json:
        print(json.dumps({row.name: [vars(outcome) for outcome in row.outcomes] for row in rows.values()}))
    return 0


def one_round(service: Service, fault: str, rng: random.Random) -> Outcome:
    """Apply a fault to a service that runs well, and check everything that it published meanwhile."""
    calm = time.monotonic()
    service.wait(calm, on_tpu=True)
    time.sleep(rng.uniform(1.0, 2.0))
    start = len(service.seen)
    outcome = FAULTS[fault][0](service, rng)
    service.wait(time.monotonic(), on_tpu=True)
    for seen in service.seen[start:]:
        outcome.stale += seen.arrived_s - seen.captured_s > STALE_S
        outcome.not_finite += not seen.finite
    outcome.zombies = zombies(service.process.pid)
    return outcome


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("compiled", type=Path)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="faults whose name holds one of these")
    parser.add_argument("--parallel", type=int, default=4, help="services at the same time")
    parser.add_argument("--logs", type=Path, help="keep the services' logs in this folder")
    parser.add_argument("--verbose", action="store_true", help="print every round on standard error")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

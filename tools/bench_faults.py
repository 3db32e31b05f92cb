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
import math
import os
import platform
import queue
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle.store import open_bundle
from edge.bundle.write import save
from edge.fakes.software_edgetpu import ENVIRONMENT, Script, answers_for, build, write_answers, write_script
from edge.importing.importer import Told, import_model
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier
from edge.preprocess import Preprocessor

FPS = 10
STALE_S = 3.0
LIMIT_S = 120.0


@dataclass
class Seen:
    """A result as it arrived; times are monotonic."""

    arrived_s: float
    captured_s: float
    on_tpu: bool
    finite: bool


@dataclass
class Outcome:
    """One round. Times in seconds; None if it took over two minutes, or does not apply to this fault."""

    results_again_s: float | None = None
    back_on_tpu_s: float | None = None
    stale: int = 0
    frozen: int = 0
    wrong: int = 0
    not_finite: int = 0
    zombies: int = 0


class Service:
    """A `fieldfare run --service` with a scripted camera and a scripted Edge TPU."""

    def __init__(self, folder: Path, bundle: Path, library: Path, answers: bytes) -> None:
        self.folder = folder
        self.seen: list[Seen] = []
        (folder / "answers.bin").write_bytes(answers)
        self.camera("run")
        self.tpu(Script(unknown="pick", time_us=2600))
        config = folder / "fieldfare.toml"
        config.write_text(
            f'bundle = "{bundle}"\n[camera]\nsource = "synthetic"\nfps = {FPS}\nscript = "@{folder}/camera"\n'
            f'[engine]\ndevice = "usb"\nedgetpu_library = "{library}"\nthreads = 1\n[output]\nconsole = "off"\n'
        )
        (folder / "run").mkdir()
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", "--service", "--config", str(config), "--json"],
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**os.environ, ENVIRONMENT: str(folder), "RUNTIME_DIRECTORY": str(folder / "run")},
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def camera(self, script: str) -> None:
        """Change the camera's script."""
        partial = self.folder / ".camera"
        partial.write_text(script + "\n")
        partial.replace(self.folder / "camera")

    def tpu(self, script: Script) -> None:
        """Change the Edge TPU's script."""
        write_script(self.folder, script)

    def worker(self) -> int:
        """Return the process id of the worker."""
        while True:
            found = children(self.process.pid, "edge.worker.main")
            if found:
                return found[0]
            time.sleep(0.02)

    def wait(self, after_s: float, *, on_tpu: bool = False) -> float | None:
        """Wait for the first result of a frame taken after `after_s`; return its arrival time, None if too late.

        on_tpu: count only results of the Edge TPU.
        """
        position = 0
        while time.monotonic() - after_s < LIMIT_S:
            while position < len(self.seen):
                result = self.seen[position]
                position += 1
                if result.captured_s > after_s and (result.on_tpu or not on_tpu):
                    return result.arrived_s
            if self.process.poll() is not None:
                raise SystemExit(f"the service ended with {self.process.returncode}: {self.tail()}")
            time.sleep(0.01)
        return None

    def tail(self) -> str:
        """Return the end of its log."""
        return "\n".join((self.folder / "log").read_text().splitlines()[-15:])

    def close(self) -> None:
        """Stop it as systemd does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)
        self.log.close()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            now, result = time.monotonic(), json.loads(line)
            scores = [result["score"], *(c["score"] for c in result["top"])]
            finite = all(isinstance(score, float | int) and math.isfinite(score) for score in scores)
            self.seen.append(Seen(now, result["captured_mono_s"], "edgetpu" in result["engine"], finite))


def children(pid: int, needle: str = "") -> list[int]:
    """Return the child processes of `pid` whose command line holds `needle`."""
    try:
        pids = [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return [child for child in pids if needle in Path(f"/proc/{child}/cmdline").read_text()]
    except OSError:
        return []


def zombies(pid: int) -> int:
    """Count the children that ended and were not reaped within a second."""
    ends = time.monotonic() + 1.0
    while True:
        states = []
        for child in children(pid):
            try:
                states.append(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0])
            except OSError:
                continue
        found = states.count("Z")
        if not found or time.monotonic() > ends:
            return found
        time.sleep(0.05)


def lasting_camera(word: str, shortest_s: float, longest_s: float) -> Callable[[Service, random.Random], Outcome]:
    """Return a camera fault that ends by itself."""

    def strike(service: Service, rng: random.Random) -> Outcome:
        began = time.monotonic()
        service.camera(word)
        time.sleep(rng.uniform(shortest_s, longest_s))
        service.camera("run")
        ended = time.monotonic()
        again = service.wait(ended)
        frozen = [seen for seen in service.seen if began + 0.5 < seen.captured_s < ended] if word == "freeze" else []
        return Outcome(None if again is None else again - ended, frozen=len(frozen))

    return strike


def signalled(number: signal.Signals) -> Callable[[Service, random.Random], Outcome]:
    """Return a fault that sends a signal to the worker."""

    def strike(service: Service, _: random.Random) -> Outcome:
        worker = service.worker()
        began = time.monotonic()
        os.kill(worker, number)
        again = service.wait(began + 0.02)
        service.wait(began + 0.02, on_tpu=True)
        return Outcome(None if again is None else again - began)

    return strike


def failing_tpu(script: Script, lasts_s: float, *, reload: bool = False) -> Callable[[Service, random.Random], Outcome]:
    """Return a fault of the Edge TPU that lasts about `lasts_s`.

    reload: kill the worker too, for a fault that shows only at a new start.
    """

    def strike(service: Service, rng: random.Random) -> Outcome:
        if reload:
            service.tpu(script)
            os.kill(service.worker(), signal.SIGKILL)
        began = time.monotonic()
        service.tpu(script)
        time.sleep(0.3)
        again = outage_end(service, began)
        time.sleep(max(0.0, began + lasts_s * rng.uniform(0.8, 1.2) - time.monotonic()))
        service.tpu(Script(unknown="pick", time_us=2600))
        ended = time.monotonic()
        back = service.wait(ended, on_tpu=True)
        lies = script.mode in ("nan", "garbage", "stale", "constant")
        wrong = [seen for seen in service.seen if seen.on_tpu and began + 0.2 < seen.captured_s < ended] if lies else []
        return Outcome(again, None if back is None else back - ended, wrong=len(wrong))

    return strike


def outage_end(service: Service, began: float) -> float | None:
    """Return the seconds from `began` to the first result that the CPU gave after it; None if too late."""
    position = 0
    while time.monotonic() - began < LIMIT_S:
        while position < len(service.seen):
            result = service.seen[position]
            position += 1
            if result.captured_s > began and not result.on_tpu:
                return result.arrived_s - began
        time.sleep(0.01)
    return None


FAULTS: dict[str, tuple[Callable[[Service, random.Random], Outcome], float]] = {
    "camera stalls": (lasting_camera("stall", 3.5, 7.0), 5.0),
    "frozen frames": (lasting_camera("freeze", 3.0, 7.0), 5.0),
    "camera gone and back": (lasting_camera("vanish", 2.0, 8.0), 5.0),
    "worker stopped (SIGSTOP)": (signalled(signal.SIGSTOP), 15.0),
    "worker killed (SIGKILL)": (signalled(signal.SIGKILL), 5.0),
    "delegate refuses": (failing_tpu(Script(mode="refuse"), 3.0, reload=True), 5.0),
    "delegate hangs": (failing_tpu(Script(mode="hang"), 10.0), 15.0),
    "delegate aborts": (failing_tpu(Script(mode="abort"), 5.0), 5.0),
    "delegate segfaults": (failing_tpu(Script(mode="segfault"), 5.0), 5.0),
    "delegate answers garbage": (failing_tpu(Script(mode="nan"), 5.0), 5.0),
    "delegate answers stale": (failing_tpu(Script(mode="stale"), 5.0), 5.0),
    "TPU vanishes for a minute": (failing_tpu(Script(mode="absent"), 60.0), 5.0),
}


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


def prepare(folder: Path, model: Path, compiled: Path) -> tuple[Path, Path, bytes]:
    """Make a bundle with both models, the software Edge TPU, and its table of answers."""

    def ask(question: Any) -> str:
        raise SystemExit(f"bench_faults: the model does not state {question.explanation}: use one with metadata")

    path = folder / "bundle"
    save(import_model(model, path, Told(resize="squash"), ask))
    done = subprocess.run(
        [sys.executable, "-m", "edge", "bundle", "add-edgetpu", str(path), str(compiled)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"bench_faults: {done.stderr.strip()}")
    bundle = open_bundle(path)
    twin = TfliteClassifier(load_runtime(), bundle.model)
    preprocessor = Preprocessor(bundle.manifest.preprocessing, bundle.manifest.input)
    write_answers(folder, answers_for(twin, [*golden_tensors(bundle, preprocessor), *noise_tensors(bundle, 200)]))
    return path, build(folder), (folder / "answers.bin").read_bytes()


def golden_tensors(bundle: Any, preprocessor: Preprocessor) -> list[Any]:
    from edge.images import decode_image

    return [
        preprocessor.quantize(decode_image(bundle.contents[case.pixels], case.pixels)[:, :, ::-1])
        for case in bundle.manifest.golden.cases
    ]


def noise_tensors(bundle: Any, count: int) -> list[Any]:
    rng, spec = np.random.default_rng(0), bundle.manifest.input
    shape = (count, spec.height, spec.width, 3)
    return list(rng.integers(0, 256, shape, dtype=np.uint8).view(spec.dtype))


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

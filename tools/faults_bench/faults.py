"""The faults of tools/bench_faults.py, and how long each took to heal."""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from edge.fakes.software_edgetpu import Script
from tools.faults_bench.service import LIMIT_S, Service


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

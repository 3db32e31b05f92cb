"""The faults of a soak: how often each is drawn, and its bound.

The bounds of the runtime's faults are those of tools/bench_faults.py, from docs/recovery.md; those of the storage's are
those of tools/reliability/disk_faults.py, from docs/reliability.md. A camera or disk fault counts from its end, any
other from its beginning.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.reliability.disk import DiskFault
from tools.reliability.disk_faults import BACK_S, UP_S
from tools.reliability.service import kill, wait_until
from tools.soaking.scene import PATIENCE_S, Scene, is_back

Strike = Callable[[Scene, random.Random], float | None]
# A disk that is slow, full or read-only never stops the camera, nor does a clock that is set. On a machine that others
# use a result may be this late: as in tools/reliability/clock_jumps.py.
CAMERA_GOES_ON_S = 3.0
_HOUR_S, _YEARS_S = 3600, 3650 * 86_400


@dataclass(frozen=True)
class Fault:
    """What can happen. strike: returns the seconds until all was well again, None if it took too long.

    weight: how often it is drawn, to that of others. gap_s: the longest time without a result, None: what the fault
    lasts, and its bound. costs_pictures: events may be kept without theirs.
    """

    name: str
    weight: int
    bound_s: float
    strike: Strike
    gap_s: float | None = None
    costs_pictures: bool = False


def camera(word: str, shortest_s: float, longest_s: float) -> Strike:
    """Return a fault of the camera that ends by itself."""

    def strike(scene: Scene, rng: random.Random) -> float | None:
        scene.camera(word)
        time.sleep(rng.uniform(shortest_s, longest_s))
        scene.camera("run")
        return since(time.monotonic(), scene)

    return strike


def deadly_camera(word: str) -> Strike:
    """Return a fault of the camera that costs the worker; the next worker finds a good camera."""

    def strike(scene: Scene, _: random.Random) -> float | None:
        worker, began_s = scene.service.part("worker"), time.monotonic()
        scene.camera(word)
        wait_until(lambda: scene.service.part("worker") != worker, PATIENCE_S)
        scene.camera("run")
        return since(began_s + 0.2, scene)

    return strike


def signalled(part: str, number: signal.Signals) -> Strike:
    """Return a fault that sends a signal to worker, recorder or outputs."""

    def strike(scene: Scene, _: random.Random) -> float | None:
        pid, began_s = scene.service.part(part), time.monotonic()
        if pid is None:
            return None
        os.kill(pid, number)
        if not wait_until(lambda: scene.service.part(part) not in (None, pid), PATIENCE_S):
            return None
        if part == "worker":
            return since(began_s, scene)
        return scene.seconds_until(is_back, began_s)

    return strike


def supervisor_killed(scene: Scene, _: random.Random) -> float | None:
    """Kill the supervisor, and start it again as systemd does."""
    began_s = time.monotonic()
    kill(scene.service.pid)
    wait_until(lambda: not scene.service.lives, PATIENCE_S)
    scene.start()
    return since(began_s, scene)


def disk(word: DiskFault, shortest_s: float, longest_s: float) -> Strike:
    """Return a fault of the disk that ends by itself."""

    def strike(scene: Scene, rng: random.Random) -> float | None:
        scene.disk.fail(word)
        time.sleep(rng.uniform(shortest_s, longest_s))
        scene.disk.fail(None)
        return scene.seconds_until(is_back, time.monotonic())

    return strike


def clock_jumps(scene: Scene, rng: random.Random) -> float | None:
    """Set the wall clock wrong, and right again."""
    off_s = rng.choice((_HOUR_S, -_HOUR_S, _YEARS_S, 600 - int(time.time())))
    scene.clock.set(off_s, synchronized=False)
    time.sleep(rng.uniform(2.0, 5.0))
    scene.clock.set(0, synchronized=True)
    return since(time.monotonic(), scene)


def since(moment_s: float, scene: Scene) -> float | None:
    """Wait for a result of a frame taken after this moment. Return the seconds up to it, None if it took too long."""
    again_s = scene.result_after(moment_s)
    return None if again_s is None else again_s - moment_s


FAULTS: Sequence[Fault] = (
    Fault("camera stalls", 3, 5.0, camera("stall", 3.5, 5.0)),
    Fault("frozen frames", 3, 5.0, camera("freeze", 3.0, 5.0)),
    Fault("camera gone and back", 3, 5.0, camera("vanish", 2.0, 5.0)),
    # 3 s until it is noticed, up to 4 s to close it, and a new worker.
    Fault("camera's driver hangs", 1, 15.0, deadly_camera("hang")),
    Fault("driver aborts", 1, 5.0, deadly_camera("abort")),
    Fault("driver segfaults", 1, 5.0, deadly_camera("segfault")),
    Fault("worker killed", 2, 5.0, signalled("worker", signal.SIGKILL)),
    Fault("worker stopped", 1, 15.0, signalled("worker", signal.SIGSTOP)),
    Fault("recorder killed", 2, BACK_S, signalled("recorder", signal.SIGKILL), CAMERA_GOES_ON_S),
    Fault("outputs killed", 2, BACK_S, signalled("outputs", signal.SIGKILL), CAMERA_GOES_ON_S),
    Fault("supervisor killed", 1, UP_S, supervisor_killed),
    Fault("fsync hangs", 2, BACK_S, disk("hang", 3.0, 6.0), CAMERA_GOES_ON_S),
    Fault("fsync takes 0.5 s", 2, BACK_S, disk("slow", 3.0, 6.0), CAMERA_GOES_ON_S),
    Fault("writes fail: full", 2, BACK_S, disk("enospc", 2.0, 5.0), CAMERA_GOES_ON_S, costs_pictures=True),
    Fault("writes fail: read-only", 2, BACK_S, disk("erofs", 2.0, 5.0), CAMERA_GOES_ON_S, costs_pictures=True),
    Fault("clock set wrong and right", 2, CAMERA_GOES_ON_S, clock_jumps, CAMERA_GOES_ON_S),
)

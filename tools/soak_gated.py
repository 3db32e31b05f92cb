"""Is a service well whose gate lets no frame through for a long time, and is a real hang still found then?

    python tools/soak_gated.py MINUTES BUNDLE [--fps 10]

Runs a supervisor and a real worker on the synthetic camera, with all limits at their defaults, and a gate that turns
every frame away (gated_worker.py). Prints once a minute, and at the end: worker starts, state, whether READY was sent,
frames looked at and results. Then it lets the camera stall and freeze, lets the gate hang and stops the worker
(SIGSTOP), one after the other, and prints how long each took to be found. Exit status 1 if anything was not as it must
be.
"""

import argparse
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from edge.config.running import Camera, Engine
from edge.config.settings import Settings
from edge.processes.worker_process import start_worker
from edge.results import Result
from edge.supervision.status import State
from edge.supervision.supervisor import Supervisor
from edge.supervision.systemd import Place, SystemdNotifier

TOOLS = Path(__file__).resolve().parent
# Each fault, and the seconds within which it must be found: its limit in docs/recovery.md, and two more for the pulse,
# the tick and a busy machine.
LIMITS_S = {
    "the camera stalls": 3.0 + 2.0,
    "the camera freezes": 2.0 + 2.0,
    "the gate hangs": 5.0 + 2.0,
    "the worker is stopped": 4.0 + 2.0,
}
LONGEST_RECOVERY_S = 60.0


class Nowhere:
    """A sink that keeps nothing."""

    fault = None

    def write(self, result: Result) -> None:
        """Forget the result."""

    def close(self) -> None:
        """Do nothing."""


class Service:
    """A supervisor in a thread, with files that drive its camera and its gate, and a socket in place of systemd's."""

    def __init__(self, folder: Path, bundle: Path, fps: float) -> None:
        self._folder = folder
        self.camera("run")
        os.environ["FIELDFARE_GATE"] = str(folder / "gate")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(TOOLS), os.environ.get("PYTHONPATH")]))
        self._systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._systemd.bind(str(folder / "notify"))
        self._systemd.settimeout(0)
        self.is_ready = False
        camera = Camera(source="synthetic", width=320, height=240, fps=fps, script=f"@{folder / 'camera'}")
        self.supervisor = Supervisor(
            Settings(bundle=str(bundle), camera=camera, engine=Engine(device="cpu")),
            [Nowhere()],
            SystemdNotifier({"NOTIFY_SOCKET": str(folder / "notify")}),
            Place(folder, folder),
            service=True,
            start=partial(start_worker, module="gated_worker"),  # the worker with its gate
        )
        self._thread = threading.Thread(target=self.supervisor.run)
        self._thread.start()

    @property
    def state(self) -> State:
        """The state now."""
        return self.supervisor.status.state

    def camera(self, word: str) -> None:
        """Change what the camera suffers."""
        self._write("camera", word)

    def gate(self, word: str) -> None:
        """Change what the gate does."""
        self._write("gate", word)

    def line(self) -> str:
        """Return one line for people."""
        self._take_notifications()
        status, counts = self.supervisor.status, self.supervisor.status.counts
        return (
            f"{status.state}, READY {'sent' if self.is_ready else 'not sent'}, worker started {counts.worker_starts} "
            f"times, {counts.captured} frames from the camera, {counts.looked_at} looked at, {counts.results} results, "
            f"faults {counts.camera_faults + counts.engine_faults + counts.crashes + counts.hangs}"
        )

    def is_well(self) -> bool:
        """Return True if nothing was restarted and all is reported as it must be."""
        self._take_notifications()
        status, counts = self.supervisor.status, self.supervisor.status.counts
        faults = counts.camera_faults + counts.engine_faults + counts.crashes + counts.hangs + counts.usb_resets
        return self.is_ready and status.state == "running" and counts.worker_starts == 1 and not faults

    def close(self) -> None:
        """Stop the service."""
        self.supervisor.stop()
        self._thread.join(20)
        self._systemd.close()

    def _take_notifications(self) -> None:
        try:
            while True:
                self.is_ready = b"READY=1" in self._systemd.recv(4096) or self.is_ready
        except BlockingIOError:
            return

    def _write(self, name: str, word: str) -> None:
        partial = self._folder / f".{name}"
        partial.write_text(f"{word}\n")
        partial.replace(self._folder / name)


def wait(true: Callable[[], bool], seconds: float) -> float | None:
    """Return after how many seconds it was true, None if it was not in time."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < seconds:
        if true():
            return time.monotonic() - began_s
        time.sleep(0.02)
    return None


def find(service: Service, fault: str) -> bool:
    """Cause the fault, print how long it took to be found and to be mended; False if that was too long."""
    worker = service.supervisor.status.worker_pid
    if fault.startswith("the camera"):
        service.camera(fault.removeprefix("the camera ").removesuffix("s"))
    elif fault == "the gate hangs":
        service.gate("hang")
    elif worker is not None:
        os.kill(worker, signal.SIGSTOP)
    found_s = wait(lambda: service.state == "recovering", LIMITS_S[fault] + 20.0)
    why = service.supervisor.status.why
    service.camera("run")
    service.gate("closed")
    mended_s = wait(lambda: service.state == "running", LONGEST_RECOVERY_S)
    if found_s is None or mended_s is None:
        print(f"{fault}: {'not found' if found_s is None else 'not mended'} ({service.line()})")
        return False
    print(f"{fault}: found after {found_s:.1f} s of {LIMITS_S[fault]:g} ({why}), running {mended_s:.1f} s later")
    return found_s <= LIMITS_S[fault]


def main() -> int:
    """Return 0 if all was as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", type=float)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--fps", type=float, default=10.0)
    given = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), given.bundle, given.fps)
        try:
            ends_s = time.monotonic() + given.minutes * 60
            while (left_s := ends_s - time.monotonic()) > 0:
                time.sleep(min(60.0, left_s))
                print(
                    f"{given.minutes - max(0.0, ends_s - time.monotonic()) / 60:5.1f} min: {service.line()}", flush=True
                )
            well = service.is_well()
            print("nothing was restarted" if well else "not as it must be")
            return 0 if all([well, *(find(service, fault) for fault in LIMITS_S)]) else 1
        finally:
            service.close()


if __name__ == "__main__":
    sys.exit(main())

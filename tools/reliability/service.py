"""A service under load, for the proofs of reliability: a camera that shows several events a second, and what can be
seen of the service from outside.

The camera is a replayed folder of pictures in three colours; the model names the colour of the first pixel. So each
change of colour is the end of an event, and the processor is free for what is proved.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.errors import FieldfareError
from edge.supervision import status as service_status
from edge.supervision.status import Status

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "edge"))
# The tests make models of a few hundred bytes by hand; nothing else does.
from tiny_models import bundle_of, sound_model  # noqa: E402

PARTS = {"worker": "edge.worker.main", "recorder": "edge.recorder.main"}
_COLOURS_BGR = {"red": (0, 0, 255), "green": (0, 255, 0), "blue": (255, 0, 0)}
# Shorter than a label is shown.
GAP_S = 0.1
_POLL_S = 0.02


def prepare(folder: Path, *, frames_a_label: int = 5, width: int = 320, height: int = 240) -> None:
    """Write bundle and pictures below `folder`. Each label is shown for so many frames, then comes the next."""
    bundle_of(sound_model(), folder / "bundle")
    (folder / "pictures").mkdir()
    rng = np.random.default_rng(0)
    for number in range(3 * frames_a_label):
        # The rest of each picture differs: a camera that repeats a frame counts as frozen.
        image = rng.integers(0, 256, (height, width, 3), np.uint8)
        image = cv2.GaussianBlur(image, (31, 31), 0)
        image[: height // 8, : width // 8] = list(_COLOURS_BGR.values())[number // frames_a_label]
        cv2.imwrite(str(folder / "pictures" / f"{number:03}.png"), image)


def write_settings(
    folder: Path, store: Path, *, fps: float = 30, durable_within_s: float = 1, pictures: bool = True
) -> Path:
    """Write settings that keep events in `store`, with a picture of each or without."""
    settings = folder / "settings.toml"
    settings.write_text(
        f'bundle = "{folder}/bundle"\n'
        f'[camera]\nsource = "{folder}/pictures"\nfps = {fps}\nloop = true\n'
        '[engine]\ndevice = "cpu"\nthreads = 1\n[output]\nconsole = "off"\n[device]\nname = "bench"\n'
        f'[events]\nstore = "{store}"\nsmoothing_s = 0.0\nmin_duration_s = 0.0\ngap_s = {GAP_S}\n'
        f"durable_within_s = {durable_within_s}\n[pictures]\nreserve_mb = 0\nbest = {str(pictures).lower()}\n"
    )
    return settings


class Service:
    """`fieldfare run --service`, which notes what was acknowledged. A context manager.

    notes: the file of notes (observed.py). log: what the service logged. program: the module that is run.
    """

    program = "tools.reliability.observed"

    def __init__(self, folder: Path, settings: Path, variables: Mapping[str, str] | None = None) -> None:
        """Nothing is started yet. folder: for notes, log and status file. variables: for its environment."""
        self.notes, self.log, self._run = folder / "notes", folder / "log", folder / "run"
        self._run.mkdir(exist_ok=True)
        self._settings = settings
        self._variables = {
            **os.environ,
            **(variables or {}),
            "RUNTIME_DIRECTORY": str(self._run),
            "RELIABILITY_NOTES": str(self.notes),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, *words: str, on_result: Callable[[dict[str, Any]], None] | None = None) -> None:
        """Start it. on_result: called from a thread with each result, as it arrives."""
        (self._run / "status.json").unlink(missing_ok=True)
        words = ("run", "--service", "--config", str(self._settings), *words)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.program, *words, *(["--json"] if on_result else [])],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if on_result else subprocess.DEVNULL,
                stderr=log,
                env=self._variables,
            )
        if on_result:
            threading.Thread(target=self._listen, args=(self._process, on_result), daemon=True).start()

    def _listen(self, process: subprocess.Popen[bytes], on_result: Callable[[dict[str, Any]], None]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            on_result(json.loads(line))

    @property
    def pid(self) -> int:
        """The supervisor."""
        assert self._process is not None
        return self._process.pid

    @property
    def lives(self) -> bool:
        """Whether the supervisor runs."""
        return self._process is not None and self._process.poll() is None

    def part(self, name: str) -> int | None:
        """Return the process id of supervisor, worker or recorder; None if it does not run now."""
        if name == "supervisor":
            return self.pid if self.lives else None
        return next(iter(children(self.pid, PARTS[name])), None)

    def status(self) -> Status | None:
        """Return what the status file holds, None if it cannot be read now."""
        try:
            return service_status.read(self._run / "status.json")
        except (FieldfareError, OSError):
            return None

    def wait_for(self, fits: Callable[[Status], bool], patience_s: float) -> float | None:
        """Wait until the status fits. Return how long that took in seconds, None if it took too long."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < patience_s:
            status = self.status()
            if status is not None and fits(status):
                return time.monotonic() - began_s
            time.sleep(_POLL_S)
        return None

    def stop(self, patience_s: float = 60.0) -> None:
        """End it as systemd does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(patience_s)

    def kill(self) -> None:
        """End what is left of it, the recorder too."""
        if self._process is None:
            return
        parts = children(self._process.pid)
        self._process.kill()
        self._process.wait()
        for part in parts:
            kill(part)
        wait_until(lambda: not any(is_running(part) for part in parts), 30)
        if self._process.stdout is not None:
            self._process.stdout.close()


def children(pid: int, needle: str = "") -> list[int]:
    """Return the child processes of `pid` whose command line holds `needle`."""
    try:
        pids = [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return [child for child in pids if needle in Path(f"/proc/{child}/cmdline").read_text()]
    except OSError:
        return []


def kill(pid: int) -> None:
    """Send SIGKILL, if it still runs."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def is_running(pid: int) -> bool:
    """Return whether this process runs, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def wait_until(holds: Callable[[], bool], patience_s: float) -> bool:
    """Wait until it holds. Return False if it took too long."""
    ends_s = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > ends_s:
            return False
        time.sleep(_POLL_S)
    return True


def keeps(status: Status) -> bool:
    """Return whether frames are classified and events are kept."""
    return (
        status.state == "running"
        and status.events is not None
        and status.events.fault is None
        and status.events.stored is not None
    )

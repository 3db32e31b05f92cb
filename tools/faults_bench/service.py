"""Run the service that tools/bench_faults.py disturbs, and note what it publishes."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from edge.fakes.software_edgetpu import ENVIRONMENT, Script, write_script

FPS = 10
LIMIT_S = 120.0


@dataclass
class Seen:
    """A result as it arrived; times are monotonic."""

    arrived_s: float
    captured_s: float
    on_tpu: bool
    finite: bool


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

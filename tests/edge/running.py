"""`fieldfare run` as a process of its own, with the folders that systemd would give it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from scripted import wait_until

from edge.bundle.store import Bundle
from edge.errors import DataError, MissingInputError
from edge.supervision.status import Status, read

QUICK = {"source": "synthetic", "fps": 30, "width": 160, "height": 120, "timeout_s": 1.0, "frozen_s": 0.7}


class Running:
    """Started by a settings file; results go to a file of JSON lines, what it says to another."""

    def __init__(self, folder: Path, bundle: Bundle, *words: str, more: str = "", **camera: object) -> None:
        self.results_file, self.errors_file = folder / "results.jsonl", folder / "errors"
        self.run, self.state = folder / "run", folder / "state"
        for place in (self.run, self.state):
            place.mkdir(exist_ok=True)
        config = folder / "fieldfare.toml"
        keys = "\n".join(f"{key} = {json.dumps(value)}" for key, value in {**QUICK, **camera}.items())
        config.write_text(
            f'bundle = "{bundle.path}"\n[camera]\n{keys}\n[output]\njsonl = "{self.results_file}"\n{more}\n'
        )
        places = {"RUNTIME_DIRECTORY": str(self.run), "STATE_DIRECTORY": str(self.state)}
        with self.errors_file.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge", "run", "--quiet", "--config", str(config), *words],
                env={**os.environ, **places},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )

    def status(self) -> Status | None:
        """None before the first."""
        try:
            return read(self.run / "status.json")
        except (MissingInputError, DataError):
            return None

    def wait_for(self, true: Callable[[Status], object], seconds: float = 60.0) -> Status:
        """The first status of which `true` holds."""
        seen: list[Status | None] = [None]

        def look() -> bool:
            seen[0] = self.status()
            return seen[0] is not None and bool(true(seen[0]))

        assert wait_until(look, seconds), f"{seen[0]}\n{self.errors()}"
        assert seen[0] is not None
        return seen[0]

    def wait_until_running(self) -> Status:
        """The status of a worker that gives results."""
        return self.wait_for(lambda status: status.state == "running" and status.worker_pid)

    def results(self) -> int:
        """How many there are so far."""
        return self.results_file.read_bytes().count(b"\n") if self.results_file.exists() else 0

    def wait_for_more(self, count: int = 3, seconds: float = 60.0) -> None:
        """So many more results than now."""
        goal = self.results() + count
        assert wait_until(lambda: self.results() >= goal, seconds), f"{self.status()}\n{self.errors()}"

    def errors(self) -> str:
        """What it has said so far."""
        return self.errors_file.read_text()

    def end(self, number: int = signal.SIGTERM, seconds: float = 30.0) -> int:
        """Its exit status after that signal."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def close(self) -> None:
        """Whatever happens, nothing stays."""
        self.process.kill()
        self.process.wait(10)

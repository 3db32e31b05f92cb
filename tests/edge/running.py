"""Run `fieldfare run` as a process of its own, with the folders that systemd would give it."""

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
    """A run with a settings file. Results go to a file of JSON lines, messages to another file."""

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
        """Return the latest status; None before the first."""
        try:
            return read(self.run / "status.json")
        except (MissingInputError, DataError):
            return None

    def wait_for(self, true: Callable[[Status], object], seconds: float = 60.0) -> Status:
        """Wait for the first status for which `true` returns True."""
        seen: list[Status | None] = [None]

        def look() -> bool:
            seen[0] = self.status()
            return seen[0] is not None and bool(true(seen[0]))

        assert wait_until(look, seconds), f"{seen[0]}\n{self.errors()}"
        assert seen[0] is not None
        return seen[0]

    def wait_until_running(self) -> Status:
        """Wait until the worker gives results; return the status."""
        return self.wait_for(lambda status: status.state == "running" and status.worker_pid)

    def results(self) -> int:
        """Return the number of results so far."""
        return self.results_file.read_bytes().count(b"\n") if self.results_file.exists() else 0

    def wait_for_more(self, count: int = 3, seconds: float = 60.0) -> None:
        """Wait for so many more results than now."""
        goal = self.results() + count
        assert wait_until(lambda: self.results() >= goal, seconds), f"{self.status()}\n{self.errors()}"

    def errors(self) -> str:
        """Return its messages so far."""
        return self.errors_file.read_text()

    def end(self, number: int = signal.SIGTERM, seconds: float = 30.0) -> int:
        """Send the signal; return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def close(self) -> None:
        """End the process, whatever state it is in."""
        self.process.kill()
        self.process.wait(10)

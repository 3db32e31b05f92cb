#!/usr/bin/env python3
"""Run the service against a hostile network camera, one mode after the other, and print what became of it.

    python tools/hostile_streams.py SERVER.py BUNDLE [--seconds 15] [--parallel 2] [--modes flap,bomb32k]

SERVER.py is a program that serves many kinds of wrong answers: `python SERVER.py PORT` prints "ready" and then answers
http://127.0.0.1:PORT/MODE. Its modes are found in its text, as `mode == 'NAME'`. Prints a table: mode, the service's
state at the end, results, the largest memory of a worker (VmHWM), lines of the log in the first minute, and in the
hour after it, if the run is longer than a minute. Exit status 1 if in any mode the service died, a worker took 400 MB
or more, or the log had more than 20 lines in the first minute or 10 an hour after.
"""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from edge.errors import FieldfareError
from edge.supervision.status import read

MOST_MB, MOST_FIRST_LINES, MOST_LINES_AN_HOUR = 400.0, 20, 10.0
_MINUTE_S = 60.0
_POLL_S = 0.2
_END_S = 10.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the service in one mode.

    lives: it ran until it was stopped, and then ended with status 0.
    peak_mb: the largest memory of any of its workers.
    first_lines, later_lines: lines of the log in the first minute, and after it.
    seconds: how long it ran.
    """

    mode: str
    lives: bool
    state: str
    results: int
    peak_mb: float
    first_lines: int
    later_lines: int
    seconds: float

    @property
    def an_hour(self) -> float:
        """Lines an hour after the first minute; 0 if the run was no longer."""
        later_s = self.seconds - _MINUTE_S
        return self.later_lines * 3600 / later_s if later_s > 0 else 0.0

    @property
    def is_well(self) -> bool:
        """Is it within the bounds? In a short run 10 lines an hour are a line or two, which is no rate."""
        allowed = max(2.0, MOST_LINES_AN_HOUR * max(0.0, self.seconds - _MINUTE_S) / 3600)
        return (
            self.lives
            and self.peak_mb < MOST_MB
            and self.first_lines <= MOST_FIRST_LINES
            and self.later_lines <= allowed
        )

    def row(self) -> str:
        """Return a row of the table."""
        lives = "" if self.lives else ", DIED"
        return (
            f"| {self.mode} | {self.state}{lives} | {self.results} | {self.peak_mb:.0f} | {self.first_lines} "
            f"| {self.an_hour:.0f} | {'ok' if self.is_well else 'FALLS SHORT'} |"
        )


def modes_of(server: Path) -> list[str]:
    """Return the modes that a server program knows, in the order of its text."""
    return list(dict.fromkeys(re.findall(r"mode == ['\"]([\w.-]+)['\"]", server.read_text())))


@contextmanager
def serving(server: Path) -> Iterator[int]:
    """Run the server on a free port, and yield that."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([sys.executable, server, str(port)], stdout=output, stderr=output)
        try:
            ends_s = time.monotonic() + 60
            while b"ready" not in _text(output.fileno()):
                if process.poll() is not None or time.monotonic() > ends_s:
                    raise SystemExit(f"{server}: does not start: {_text(output.fileno())[-300:].decode()}")
                time.sleep(_POLL_S)
            yield port
        finally:
            process.kill()
            process.wait()


def _text(descriptor: int) -> bytes:
    return os.pread(descriptor, 1 << 20, 0)


def run_mode(mode: str, address: str, bundle: Path, seconds: float) -> Outcome:
    """Run the service on one address for so many seconds."""
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("wb") as log:
        words = ["run", "--service", "--bundle", str(bundle), "--source", address, "--quiet"]
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", *words],
            stderr=log,
            env={**os.environ, "RUNTIME_DIRECTORY": folder, "JOURNAL_STREAM": "1:1"},
        )
        started_s, peak_kb, first_lines = time.monotonic(), 0, None
        while (passed_s := time.monotonic() - started_s) < seconds and process.poll() is None:
            peak_kb = max(peak_kb, *map(_peak_kb, _children(process.pid)), 0)
            if first_lines is None and passed_s >= _MINUTE_S:
                first_lines = _lines(Path(folder, "log"))
            time.sleep(_POLL_S)
        lives = process.poll() is None
        state, results = _status(Path(folder, "status.json"))
        lines = _lines(Path(folder, "log"))
        process.send_signal(signal.SIGTERM)
        try:
            lives = process.wait(_END_S) == 0 and lives
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            lives = False
    first = lines if first_lines is None else first_lines
    return Outcome(mode, lives, state, results, peak_kb / 1000, first, lines - first, seconds)


def _status(path: Path) -> tuple[str, int]:
    try:
        seen = read(path)
    except FieldfareError as error:
        return str(error), 0
    return seen.state, seen.counts.results


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == parent:
                    found.append(int(entry.name))
    return found


def _peak_kb(pid: int) -> int:
    with suppress(OSError):  # it has ended
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def main() -> int:
    """Run all modes and print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--seconds", type=float, default=15.0, help="for each mode")
    parser.add_argument("--parallel", type=int, default=2, help="modes at the same time")
    parser.add_argument("--modes", help="only these, with commas between them")
    given = parser.parse_args()
    modes = given.modes.split(",") if given.modes else modes_of(given.server)
    print("| mode | state | results | worker's peak MB | lines, first minute | lines an hour after | |")
    print("| --- | --- | ---: | ---: | ---: | ---: | --- |")
    with serving(given.server) as port, ThreadPoolExecutor(given.parallel) as pool:
        outcomes = []
        runs = pool.map(
            lambda mode: run_mode(mode, f"http://127.0.0.1:{port}/{mode}", given.bundle, given.seconds), modes
        )
        for outcome in runs:
            print(outcome.row(), flush=True)
            outcomes.append(outcome)
    return 0 if all(outcome.is_well for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())

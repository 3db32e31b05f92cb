"""Run scripts in the machine, through its virtio port (guest/virtual/agent.py answers)."""

import json
import select
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import host

# What the guest adds when a script took too long.
TOO_LONG = 124
# The script's own limit is by the machine's clock, which may be slow; this is the longest that anyone would wait.
_PATIENCE_S = 1800.0


@dataclass(frozen=True)
class Answer:
    """What came of a script. uptime_s: of the machine's boot, when it answered."""

    status: int
    output: str
    errors: str
    uptime_s: float


class Agent:
    """A connection to the agent of one machine, which outlasts its resets."""

    def __init__(self, path: Path) -> None:
        """Connect. Raises OSError if qemu does not listen there yet."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._rest, self._number = b"", 0
        try:
            self._socket.connect(str(path))
        except BaseException:
            self._socket.close()
            raise

    def wait_for_boot(self, other_than: str, until_mono_s: float) -> str:
        """Return the id of the boot that began, another one than this. Raises TimeoutError."""
        while True:
            boot = str(self._message(until_mono_s).get("ready", other_than))
            if boot != other_than:
                return boot

    def run(self, script: str, timeout_s: float) -> Answer:
        """Run a shell script there. Raises host.Failed if the machine does not answer, or starts anew meanwhile.

        script: "" only asks for the time. timeout_s: by the machine's clock; the script is killed then.
        """
        self._number += 1
        request = {"number": self._number, "script": script, "timeout_s": timeout_s}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        try:
            until_mono_s = time.monotonic() + _PATIENCE_S
            while (message := self._message(until_mono_s)).get("number") != self._number:
                if "ready" in message:
                    raise host.Failed(f"the machine started anew while it ran: {script}")
        except TimeoutError as error:
            raise host.Failed(f"the machine does not answer: {script}") from error
        return Answer(message["status"], message["output"], message["errors"], message["uptime_s"])

    def _message(self, until_mono_s: float) -> dict[str, Any]:
        """Return the next whole message; skip what a reset has torn."""
        while True:
            line, found, rest = self._rest.partition(b"\n")
            if found:
                self._rest = rest
                try:
                    message = json.loads(line or b"{}")
                except ValueError:
                    continue
                if message:
                    return dict(message)
                continue
            if not select.select([self._socket], [], [], max(0.0, until_mono_s - time.monotonic()))[0]:
                raise TimeoutError
            new = self._socket.recv(1 << 16)
            if not new:
                raise host.Failed("the machine has ended")
            self._rest += new

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

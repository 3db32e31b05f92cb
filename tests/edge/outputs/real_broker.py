"""A mosquitto of the tests' own, and ports that nobody uses."""

import os
import socket
import subprocess
from pathlib import Path

from waiting import wait_until


def unused_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Broker:
    """A mosquitto of the test's own."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = unused_port()
        self._words = [program, "-c", str(folder / "mosquitto.conf")]
        user = "user root\n" if os.geteuid() == 0 else ""
        self.config = folder / "mosquitto.conf"
        self.config.write_text(f"{user}listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers)

    def _answers(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

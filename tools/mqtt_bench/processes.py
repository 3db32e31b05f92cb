"""Run what tools/bench_mqtt.py looks at: a broker, another client of it, and the outputs."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tools.mqtt_bench.backlog import DEVICE


class Broker:
    """A mosquitto of our own. `settings`: more lines of its configuration."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        self.port = free_port()
        self._config = folder / f"mosquitto-{self.port}.conf"
        # As root it would become the user mosquitto, who may not read our temporary folder.
        lines = "user root\n" if os.geteuid() == 0 else ""
        lines += f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n{settings}"
        self._config.write_text(lines)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [mosquitto(), "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(lambda: can_connect(self.port), 60, "mosquitto")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Listener:
    """Another client, which notes the number of each event. It connects again by itself."""

    def __init__(self, port: int) -> None:
        self.numbers: list[int] = []
        self.gaps: list[Any] = []
        self.first_s = self.last_s = 0.0
        self._client = Client(CallbackAPIVersion.VERSION2, "listener", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(f"fieldfare/{DEVICE}/#", 1)
        self._client.on_message = self._note
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()
        wait_for(self._client.is_connected, 60, "the listener")

    def _note(self, _client: Any, _data: Any, message: Any) -> None:
        if message.topic.endswith("/gap"):
            self.gaps.append(json.loads(message.payload))
        if message.topic.endswith("/event"):
            self.last_s = time.monotonic()
            self.first_s = self.first_s or self.last_s
            self.numbers.append(msgspec.json.decode(message.payload)["number"])

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Outputs:
    """`fieldfare outputs` as a process."""

    def __init__(self, folder: Path, mqtt: dict[str, Any]) -> None:
        self._folder = folder
        self.config = folder / "fieldfare.toml"
        lines = [f"{key} = {json.dumps(value)}" for key, value in mqtt.items()]
        self.config.write_text(
            f'bundle = "none"\n[device]\nname = "{DEVICE}"\n[events]\nstore = "{folder}/events.db"\n[mqtt]\n'
            + "\n".join(lines)
        )
        self.log = folder / "outputs.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        run = self._folder / "run"
        run.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge", "outputs", "--config", str(self.config)],
                stderr=log,
                env={**os.environ, "RUNTIME_DIRECTORY": str(run)},
                cwd=Path(__file__).resolve().parents[2],
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def pss_mib(self) -> float:
        assert self.process is not None
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024

    def cpu_s(self) -> float:
        assert self.process is not None
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def mosquitto() -> str:
    """Return the broker's program, which Debian puts beside the usual path."""
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise SystemExit("needs mosquitto: sudo apt install mosquitto")
    return found


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def can_connect(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition: Callable[[], bool], seconds: float, what: str, *, fatal: bool = True) -> None:
    ends_s = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends_s:
            if fatal:
                raise SystemExit(f"waited {seconds:g} s for {what}")
            return
        time.sleep(0.05)

"""Run the shell scripts that the host sends through a virtio port, and answer with what came of them.

A request is a line of JSON with `number`, `script` and `timeout_s`. The answer has `number`, `status`, `output`,
`errors`, and `uptime_s`, how long the boot is ago; status 124 means that the script took too long and was killed, with
all that it had started. Without a script nothing is started: to look at the clock must not slow the machine down. The
first line after a start is `ready`, with the id of this boot.
"""

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

_PORT = "/dev/virtio-ports/fieldfare.bench"
_TOO_LONG = 124
_NOTHING = {"status": 0, "output": "", "errors": ""}


class _Port:
    def __init__(self) -> None:
        while not Path(_PORT).exists():
            time.sleep(0.1)
        self._file = os.open(_PORT, os.O_RDWR)
        self._lock = threading.Lock()

    def send(self, answer: dict[str, Any]) -> None:
        # The empty line ends what a reset machine may have left unfinished.
        line = b"\n" + json.dumps(answer).encode() + b"\n"
        with self._lock:
            while line:
                line = line[os.write(self._file, line) :]

    def lines(self) -> Any:
        rest = b""
        while True:
            new = os.read(self._file, 65536)
            if not new:  # nobody listens at the other end
                time.sleep(0.1)
                continue
            *whole, rest = (rest + new).split(b"\n")
            yield from (line for line in whole if line.strip())


def _run(script: str, timeout_s: float) -> dict[str, Any]:
    process = subprocess.Popen(
        ["/bin/sh", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        cwd="/",
        env={**os.environ, "LC_ALL": "C.UTF-8", "HOME": "/root", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    try:
        output, errors = process.communicate(timeout=timeout_s)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        status = _TOO_LONG
    return {"status": status, "output": output, "errors": errors}


def _answer(port: _Port, line: bytes) -> None:
    try:
        request = json.loads(line)
    except ValueError:  # the host was cut off in the middle of a line
        return
    try:
        answer = _run(request["script"], request["timeout_s"]) if request["script"] else dict(_NOTHING)
    except OSError as error:  # no memory for a process
        answer = {"status": 71, "output": "", "errors": str(error)}
    port.send({"number": request["number"], "uptime_s": time.clock_gettime(time.CLOCK_BOOTTIME), **answer})


def main() -> None:
    """Serve for ever."""
    port = _Port()
    port.send({"ready": Path("/proc/sys/kernel/random/boot_id").read_text().strip()})
    for line in port.lines():
        threading.Thread(target=_answer, args=(port, line), daemon=True).start()


if __name__ == "__main__":
    main()

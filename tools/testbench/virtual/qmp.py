"""Control qemu through its machine protocol (QMP): JSON lines over a local socket."""

import json
import socket
from pathlib import Path
from typing import Any

import host

_PATIENCE_S = 60.0


class Qmp:
    """A connection to one qemu."""

    def __init__(self, path: Path) -> None:
        """Connect. Raises OSError if qemu does not listen there yet."""
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(_PATIENCE_S)
            self._socket.connect(str(path))
            self._lines = self._socket.makefile("rb")
            self._answer()  # the greeting
            self.do("qmp_capabilities")
        except BaseException:
            self._socket.close()
            raise

    def do(self, command: str, **arguments: Any) -> Any:
        """Run a command; return what it returns. Raises host.Failed if qemu refuses it."""
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        answer = self._answer()
        if "error" in answer:
            raise host.Failed(f"qemu refused {command}: {answer['error']['desc']}")
        return answer["return"]

    def _answer(self) -> dict[str, Any]:
        while line := self._lines.readline():
            answer: dict[str, Any] = json.loads(line)
            if "event" not in answer:
                return answer
        raise host.Failed("qemu closed its control socket")

    def close(self) -> None:
        """Close the connection; qemu goes on."""
        self._lines.close()
        self._socket.close()

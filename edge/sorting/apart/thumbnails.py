"""Make small pictures on demand: one process makes them, and the last few stay in memory."""

import contextlib
import os
import threading
from collections import OrderedDict
from pathlib import Path

from edge.processes.process import PIPE, Process, module_command
from edge.sorting.apart.thumbnail_child import ANSWER, REQUEST

# One of 200 pixels has 8 kB: those of some pages.
_MOST_BYTES = 3 << 20
# A 48-megapixel PNG takes a Pi Zero so long.
_LIMIT_S = 30.0
_IDLE_S = 60.0
_LARGEST = 4 << 20
_REAP_S = 2.0


class Thumbnails:
    """Small pictures by path and side. Thread-safe. The process starts with the first one, and ends if none is wanted
    for a minute, or one takes too long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Path, int], bytes] = OrderedDict()
        self._size = 0
        self._process: Process | None = None
        self._rest: threading.Timer | None = None

    def make(self, path: Path, side: int) -> bytes:
        """Return a JPEG whose longer side is at most `side` pixels; b"" if the picture cannot be read."""
        with self._lock:
            key = path, side
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            made = self._ask(path, side)
            self._keep(key, made)
            return made

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _keep(self, key: tuple[Path, int], made: bytes) -> None:
        self._kept[key] = made
        self._size += len(made) + 500
        while self._size > _MOST_BYTES:
            _, dropped = self._kept.popitem(last=False)
            self._size -= len(dropped) + 500

    def _ask(self, path: Path, side: int) -> bytes:
        process = self._started()
        guard = threading.Timer(_LIMIT_S, process.kill)
        guard.daemon = True
        guard.start()
        try:
            name = os.fsencode(path)
            process.stdin.write(REQUEST.pack(side, len(name)) + name)
            (length,) = ANSWER.unpack(_exactly(process, ANSWER.size))
            return _exactly(process, min(length, _LARGEST))
        except (OSError, EOFError):  # it died of this picture, or was killed for it
            self._end()
            return b""
        finally:
            guard.cancel()
            self._rest_later()

    def _started(self) -> Process:
        if self._process is None:
            self._process = Process(module_command("edge.sorting.apart.thumbnail_child"), stdin=PIPE, stdout=PIPE)
        return self._process

    def _rest_later(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        self._rest = threading.Timer(_IDLE_S, self.close)
        self._rest.daemon = True
        self._rest.start()

    def _end(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._process.end(_REAP_S)
            self._process = None


def _exactly(process: Process, size: int) -> bytes:
    """Return so many bytes of its output. Raises EOFError if it ends before."""
    data = bytearray()
    while len(data) < size:
        piece = process.stdout.read(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)

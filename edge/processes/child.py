"""A child process of the supervisor: started in a session of its own, listened to, killed, never left a zombie."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

_log = logging.getLogger(__name__)

_SET_PDEATHSIG = 1  # linux/prctl.h
_TAIL = 12
_MAX_LINE = 4096
# Of what libraries say, at most so many lines in so many seconds.
_LINES_A_WINDOW = 50
_WINDOW_S = 10.0
# What LiteRT says at every start and cannot be told not to.
_NOISE = ("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.", "INFO: Applying 1 TensorFlow Lite delegate(s)")


class Child:
    """`python -m MODULE WORDS`. Its standard error is relayed line by line to ours. Used by one thread."""

    def __init__(self, module: str, words: Sequence[str] = (), *, pass_fds: Sequence[int] = ()) -> None:
        """Raises OSError where no process can be started (no memory, too many)."""
        root = str(Path(__file__).resolve().parents[2])
        # -P: the folder that the user happens to be in is not searched for modules.
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=pass_fds,
            start_new_session=True,  # Ctrl-C in a terminal is for the supervisor
            env={"OPENCV_LOG_LEVEL": "ERROR", **os.environ, "PYTHONPATH": path},
        )
        assert self._process.stderr is not None
        self.stderr = self._process.stderr
        os.set_blocking(self.stderr.fileno(), False)
        self.started_s = time.monotonic()
        self.tail: deque[str] = deque(maxlen=_TAIL)
        self._rest = b""
        self._window_s, self._said, self._left_out = self.started_s, 0, 0
        self._swept = False

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def relay(self) -> bool:
        """Pass on what it wrote to standard error; False once it has closed that."""
        try:
            data = os.read(self.stderr.fileno(), 65536)
        except BlockingIOError:
            return True
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-_MAX_LINE:]
        if not data and self._rest:
            lines, self._rest = [self._rest], b""
        for line in lines:
            text = line.decode(errors="replace").rstrip()
            if text and not text.startswith(_NOISE):
                self.tail.append(text[:_MAX_LINE])
                self._pass_on(text)
        return bool(data)

    def _pass_on(self, line: str) -> None:
        """The child's own log lines keep their level. Anything else is a library's: it informs, up to a limit, as one
        that has lost its device may say so thousands of times a second, and a card is small."""
        level, _, text = line.partition(" ")
        if level in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
            _log.log(getattr(logging, level), "%s", text)
            return
        now = time.monotonic()
        if now - self._window_s > _WINDOW_S:
            if self._left_out:
                _log.info("worker: %d more such lines were left out", self._left_out)
            self._window_s, self._said, self._left_out = now, 0, 0
        if self._said < _LINES_A_WINDOW:
            self._said += 1
            _log.info("worker: %s", line)
        else:
            self._left_out += 1

    def exit_status(self) -> int | None:
        """None while it runs, else as subprocess has it: minus the signal where one ended it. Reaps it."""
        return self._process.poll()

    def kill(self) -> None:
        """SIGKILL to it and all that it has started, also where itself it has ended; ends also what is stopped."""
        if self._swept:
            return
        # Once after its end: helpers keep the group's number from being given away, but no longer than they live.
        self._swept = self._process.poll() is not None
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            _log.debug("process %d was gone already", self._process.pid)

    def wait(self, seconds: float) -> bool:
        """False where it is still there after `seconds`: in a driver, where even SIGKILL waits."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        """Close the pipe."""
        self.stderr.close()


def die_with(parent: int) -> None:
    """In a child: end when `parent` does, whatever ends that. It would hold its device for ever."""
    ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def describe_exit(status: int) -> str:
    """How a process ended, for people."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"died of {name}"

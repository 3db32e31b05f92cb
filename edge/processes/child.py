"""Run a long-lived module of ours in a process of its own, and relay what it prints to the log.

The functions are for the child itself: to end with its parent, to take no more memory than it may.
"""

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence

from edge.portable.system import SIGKILL, can_fork, is_linux, libc, module_or_none
from edge.processes.logs import LEVELS, MARK_VARIABLE, hook_uncaught, log_to_parent
from edge.processes.process import PIPE, Process, module_command

_log = logging.getLogger(__name__)

_SET_PDEATHSIG = 1  # linux/prctl.h
_LOOK_EVERY_S = 1.0
_TAIL = 12
_MAX_LINE = 4096
# A library that has lost its device may report that thousands of times a second, one that decodes damaged pictures for
# days, and an SD card is small: so many lines are relayed at once, and one more after each so many seconds.
_MOST_LINES = 8
_LINE_EVERY_S = 900.0


class LineAllowance:
    """How many of libraries' lines are relayed to the log. Children that follow one another share one."""

    def __init__(self) -> None:
        self._left, self._seen_s = float(_MOST_LINES), time.monotonic()
        self._left_out = 0

    def admits(self, name: str = "worker") -> bool:
        """Return True if one more line may be logged; logs how many were left out before it. name: of the child."""
        now = time.monotonic()
        self._left = min(_MOST_LINES, self._left + (now - self._seen_s) / _LINE_EVERY_S)
        self._seen_s = now
        if self._left < 1:
            self._left_out += 1
            return False
        self._left -= 1
        if self._left_out:
            _log.info("%s: %d more such lines were left out", name, self._left_out)
            self._left_out = 0
        return True


class Child(Process):
    """`python -m MODULE WORDS`, whose standard error is relayed line by line to our log. Used by one thread."""

    def __init__(
        self,
        module: str,
        words: Sequence[str] = (),
        *,
        pass_fds: Sequence[int] = (),
        allowance: LineAllowance | None = None,
        name: str = "worker",
    ) -> None:
        """Start it.

        allowance: that of the children before it; None: one of its own.
        name: what it is called in the log, before the lines that libraries print.

        Raises OSError if it cannot be started."""
        self._name = name
        self._mark = f"{os.urandom(8).hex()} "
        variables = {
            "OPENCV_LOG_LEVEL": os.environ.get("OPENCV_LOG_LEVEL", "ERROR"),
            MARK_VARIABLE: self._mark,
        }
        super().__init__(module_command(module, words, variables), stderr=PIPE, pass_fds=pass_fds)
        os.set_blocking(self.stderr.fileno(), False)
        self.started_s = time.monotonic()
        self.tail: deque[str] = deque(maxlen=_TAIL)
        self._rest = b""
        self._allowance = allowance or LineAllowance()

    def relay(self) -> bool:
        """Log what it wrote to standard error; False once it has closed that."""
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
            if text:
                self.tail.append(text.removeprefix(self._mark)[:_MAX_LINE])
                self._log_line(text)
        return bool(data)

    def _log_line(self, line: str) -> None:
        """Log a line of the child's own log at its level, and a library's line as information, up to a limit."""
        level, _, text = line.removeprefix(self._mark).partition(" ")
        if line.startswith(self._mark) and level in LEVELS.values():
            _log.log(getattr(logging, level), "%s", text)
            return
        if self._allowance.admits(self._name):
            _log.info("%s: %s", self._name, line)


def die_with(parent: int) -> None:
    """End this process when `parent` ends, however that happens: at once on Linux, within a second on macOS, not on
    Windows. Called in the child."""
    # A child that outlives its parent would hold camera or Edge TPU for ever.
    prctl = getattr(libc(), "prctl", None)
    if prctl is not None:
        prctl(_SET_PDEATHSIG, SIGKILL)
    elif can_fork():
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    else:  # Windows never changes the parent's number, and a virtual environment's launcher stands in between
        return
    if os.getppid() != parent:
        os._exit(0)


def join_parent() -> socket.socket:
    """Leave Ctrl-C and systemd's stop to the parent, log through it, and return the line to it, whose descriptor is the
    first word of the command. Called first in a child that has such a line."""
    # Both signals reach the whole group. The parent decides: it sends word, closes the line, or kills.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    log_to_parent()
    hook_uncaught()
    return socket.socket(fileno=int(sys.argv[1]))


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    os._exit(0)


# For children whose address space is limited. BLAS starts a thread for each core when NumPy is imported, and each takes
# some 180 MB of address space and next to no memory: with 24 cores a limit of 4 GiB was used up (measured 2026-11).
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def limit_memory(size: int, data: int | None = None) -> None:
    """Limit the address space of this process to `size` bytes, what it allocates to `data`, and let a crash leave no
    core file. Does nothing on Windows, which has no such limits, and on a macOS that refuses them."""
    resource = module_or_none("resource")
    if resource is None:
        return
    limits = {resource.RLIMIT_AS: size} if data is None else {resource.RLIMIT_AS: size, resource.RLIMIT_DATA: data}
    for kind, wanted in limits.items():
        _, most = resource.getrlimit(kind)
        soft = min(wanted, sys.maxsize)  # a 32-bit system takes no larger number
        try:
            resource.setrlimit(kind, (soft if most == resource.RLIM_INFINITY else min(soft, most), most))
        except (OSError, ValueError):
            if is_linux():
                raise
    leave_no_core()


def leave_no_core() -> None:
    """Let a crash of this process leave no core file, on systems that write them."""
    resource = module_or_none("resource")
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

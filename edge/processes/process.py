"""Start a process of ours or of others, kill it with everything that it started, and name how it ended.

The only place that starts risky work. `edge.processes.run` runs a process to completion, `edge.processes.child` relays
what a long-lived one prints, and `trainer.dataset.decoding` keeps a pool of them.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from edge.portable.system import SIGKILL

PIPE, DEVNULL, STDOUT = subprocess.PIPE, subprocess.DEVNULL, subprocess.STDOUT

_log = logging.getLogger(__name__)
_ROOT = Path(__file__).resolve().parents[2]
_HINTS: dict[int, str] = {
    signal.SIGILL: "an illegal instruction: a library built for another processor",
    SIGKILL: "out of memory?",
}
# The same for Windows, as far as Ctrl-C goes.
_OWN_GROUP: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
# Closed while they were still alive. Each start of another process looks whether they can be reaped by now.
_abandoned: list[subprocess.Popen[bytes]] = []
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, and what it gets beside the variables of our own environment."""

    words: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Account:
    """A user to run a process as, by numbers, since names may change meanwhile.

    name: for messages and for the process' environment
    groups: all of its groups
    home: its home folder, for the process' environment
    """

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    home: str = "/"


def module_command(module: str, words: Sequence[str] = (), variables: Mapping[str, str] | None = None) -> Command:
    """Return the command that runs `module` with the Python, `edge` and `trainer` of this process."""
    # -P: a Python file in the current folder, such as a USB stick, must not be imported in place of a library.
    return Command(
        (sys.executable, "-P", "-m", module, *words), {**(variables or {}), "PYTHONPATH": _module_search_path()}
    )


def tied_command(command: Command, pipe: int) -> Command:
    """Return the command that runs `command` in a session that is killed at the end of a pipe. pipe: its reading end,
    which must be passed on. See edge.processes.tied."""
    program = _ROOT / "edge" / "processes" / "tied.py"
    return Command((sys.executable, "-I", "-S", str(program), str(pipe), *command.words), command.variables)


def _module_search_path() -> str:
    """Return PYTHONPATH with our root first and once."""
    # First, so that an older Fieldfare in the user's PYTHONPATH cannot be half of a process that we start. Foreign
    # programs do not get our root: once installed it is site-packages, which another Python must not import from.
    users = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    # Python takes an empty entry for the current folder.
    return os.pathsep.join([str(_ROOT), *(entry for entry in users if entry not in ("", str(_ROOT)))])


class Process:
    """A running process that leads a session of its own. Used by one thread."""

    def __init__(
        self,
        command: Command,
        *,
        stdin: int = DEVNULL,
        stdout: int = DEVNULL,
        stderr: int | IO[bytes] = DEVNULL,
        pass_fds: Sequence[int] = (),
        account: Account | None = None,
    ) -> None:
        """Start `command`, as `account` if this process is root's and one is given. Pipes are not buffered. Raises
        OSError if it cannot be started (no such program, no memory, too many processes, closed to that account)."""
        _reap_abandoned()
        # What it prints goes to us, never to the journal itself: with this it would begin lines with their priority.
        ours = {name: value for name, value in os.environ.items() if name != "JOURNAL_STREAM"}
        theirs = {"HOME": account.home, "USER": account.name, "LOGNAME": account.name} if account else {}
        self._process = subprocess.Popen(
            list(command.words),
            bufsize=0,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=pass_fds,
            # Ctrl-C in a terminal is for us only: we end what we started. And a kill reaches the whole session's group.
            start_new_session=True,
            creationflags=_OWN_GROUP,
            # All three, or a process would keep root's groups.
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=account.groups if account else None,
            env={**ours, **theirs, **command.variables},
        )
        self._swept = False

    @property
    def pid(self) -> int:
        """The process ID, which is also the ID of its group and session."""
        return self._process.pid

    @property
    def stdin(self) -> IO[bytes]:
        """The pipe to its standard input."""
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """The pipe from its standard output."""
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def stderr(self) -> IO[bytes]:
        """The pipe from its standard error."""
        assert self._process.stderr is not None
        return self._process.stderr

    def exit_status(self) -> int | None:
        """Return None while it runs, else its status: minus the signal if one ended it. Reaps it."""
        return self._process.poll()

    def kill(self) -> None:
        """Send SIGKILL to it and everything that it started, even after its own end; ends stopped processes, too."""
        if self._swept:
            return
        # After its end once only: the helpers that it left keep the group's number from being used again, but only as
        # long as they live.
        self._swept = self._process.poll() is not None
        try:
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, SIGKILL)
            else:  # Windows: what it started itself lives on
                self._process.kill()
        except (ProcessLookupError, PermissionError):
            _log.debug("process %d was gone already", self._process.pid)

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False if it is still there after `seconds`."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self, seconds: float) -> bool:
        """Kill it, reap it and close its pipes; False if it is still there after `seconds`."""
        self.kill()
        gone = self.wait(seconds)
        self.close()
        return gone

    def close(self) -> None:
        """Close the pipes; safe to call twice."""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        # SIGKILL waits for a process that hangs in a driver or on a dead disk. Nobody waits for that one; it becomes a
        # zombie when it ends, and the next start reaps it.
        if self._process.returncode is None:
            with _lock:
                if self._process not in _abandoned:
                    _abandoned.append(self._process)


def _reap_abandoned() -> None:
    with _lock:
        _abandoned[:] = [process for process in _abandoned if process.poll() is None]


def describe_exit(status: int, printed: bytes | None = None) -> str:
    """Return how a process ended, in words: "died of SIGSEGV", "ended with status 1".

    printed: what it wrote to standard error, if that is known; its last line is quoted.
    """
    how = f"died of {_signal_name(-status)}" if status < 0 else f"ended with status {status}"
    if printed is None:
        return how
    words = last_line(printed)
    if words:
        return f"{how}: {words}"
    return how if status < 0 else f"{how} and printed nothing"


def _signal_name(number: int) -> str:
    name = f"signal {number}"
    with contextlib.suppress(ValueError):  # real-time signals have no name
        name = signal.Signals(number).name
    return f"{name} ({_HINTS[number]})" if number in _HINTS else name


def last_line(printed: bytes, limit: int = 300) -> str:
    """Return the last line that is not blank, at most `limit` characters: of a traceback, the error."""
    line = printed.rstrip().rpartition(b"\n")[2].rpartition(b"\r")[2]
    # A character takes at most 4 bytes.
    return line[: 4 * limit].decode(errors="replace").strip()[:limit]

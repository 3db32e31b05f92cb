"""Something dangerous in a child process, and how that ended: answered, refused, crashed or hung.

The child writes its answer as JSON to standard output. Both its streams are files, not pipes: a grandchild that
keeps a pipe open would hold us up.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import msgspec

Ending = Literal["answered", "refused", "crashed", "hung"]
_REAP_S = 0.5
_lock = threading.Lock()
_running: "set[subprocess.Popen[bytes]]" = set()
_interrupted = threading.Event()
_SIGNALS: dict[int, str] = {
    signal.SIGSEGV: "a segmentation fault",
    signal.SIGABRT: "an abort",
    signal.SIGBUS: "a bus error",
    signal.SIGILL: "an illegal instruction: a library built for another processor",
    signal.SIGKILL: "SIGKILL: out of memory?",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """answer: the decoded JSON where it answered, else None. why: in words how it failed."""

    ending: Ending
    answer: Any = None
    why: str = ""


def run(command: Sequence[str], timeout_s: float) -> Outcome:
    """Run `command` for at most `timeout_s`, then kill it with all that it started. Not even a process that
    SIGKILL does not end (a camera driver can cause that) is waited for longer than half a second more."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = _start(command, out, err)
        if child is None:
            return Outcome("refused", why="interrupted")
        try:
            child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return Outcome("hung", why=_kill(child, timeout_s))
        finally:
            with _lock:
                _running.discard(child)
        out.seek(0)
        err.seek(0)
        return _judge(child.returncode, out.read(), err.read().decode(errors="replace"))


def _start(command: Sequence[str], out: IO[bytes], err: IO[bytes]) -> "subprocess.Popen[bytes] | None":
    # The child finds the same `edge` as we did, installed or not.
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), root]))}
    with _lock:
        if _interrupted.is_set():
            return None
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True, env=environment
        )
        _running.add(child)
    return child


def interrupt() -> None:
    """Ctrl-C reaches the parent only: end all children, and start no more in this process."""
    _interrupted.set()
    with _lock:
        for child in _running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)


def probe(name: str, arguments: object, timeout_s: float) -> Outcome:
    """One function of edge.doctor.probe in a child; `arguments` travel as JSON."""
    # -P: no Python file of the current folder (a stick, say) is imported.
    words = [sys.executable, "-P", "-m", "edge.doctor.probe", name, msgspec.json.encode(arguments).decode()]
    return run(words, timeout_s)


def _judge(status: int, out: bytes, err: str) -> Outcome:
    said = last_line(err)
    if status < 0:
        what = _SIGNALS.get(-status, f"signal {-status}")
        return Outcome("crashed", why=f"died of {what}" + (f" ({said})" if said else ""))
    try:
        answer = msgspec.json.decode(out)
    except msgspec.DecodeError:
        return Outcome("refused", why=said or f"status {status} without a word")
    if isinstance(answer, dict) and set(answer) == {"refused"}:
        return Outcome("refused", why=str(answer["refused"]))
    return Outcome("answered", answer)


def last_line(text: str, limit: int = 300) -> str:
    """The last line that says something: of a traceback, the error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:limit] if lines else ""


def _kill(child: "subprocess.Popen[bytes]", timeout_s: float) -> str:
    with_what = f"no answer within {timeout_s:g} s"
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return with_what
    until = time.monotonic() + _REAP_S
    while child.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    if child.returncode is None:
        child.returncode = -signal.SIGKILL  # else its ResourceWarning would speak of it again
        return f"{with_what}, and SIGKILL does not end it: only a restart of the board will"
    return with_what

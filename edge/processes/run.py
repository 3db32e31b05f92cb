"""Run a process to completion with limits on its time and its output."""

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edge.portable.pipes import open_pipes
from edge.portable.system import SIGKILL
from edge.processes.held_signals import signals_held
from edge.processes.process import DEVNULL, PIPE, STDOUT, Account, Command, Process, tied_command

MAX_BYTES = 16 << 20
Limit = Literal["time", "output", "cancelled"]

_TICK_S = 0.1
# On a busy machine with two cores a killed process took over half a second to go; doctor then blames a driver.
_REAP_S = 2.0


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ended or was killed.

    status: its exit status, minus the signal if one ended it
    output: what it wrote to standard output, up to a limit
    errors: what it wrote to standard error, up to a limit; nothing if that was merged into the output
    killed_for: the limit that it broke, "cancelled", or None if it ended by itself
    gone: False if it is still there after SIGKILL, as it hangs in a driver
    """

    status: int
    output: bytes
    errors: bytes
    killed_for: Limit | None
    gone: bool = True


def run(
    command: Command,
    limit_s: float,
    *,
    given: bytes = b"",
    merged: bool = False,
    max_output: int = MAX_BYTES,
    max_errors: int = MAX_BYTES,
    linger_s: float = 0.0,
    cancelled: threading.Event | None = None,
    account: Account | None = None,
    tied: bool = False,
    inherited: Sequence[int] = (),
    errors: bytearray | None = None,
) -> Finished:
    """Run `command` until it ends, and kill everything that it left behind.

    Raises OSError if it cannot be started. Returns within 2 s after a kill, even if SIGKILL does not end it.

    limit_s: seconds after which it is killed
    given: what it can read from standard input
    merged: its standard error goes into its output
    max_output, max_errors: bytes of output, and of standard error, after which it is killed
    linger_s: how long after its end to read on while another process keeps its output open
    cancelled: kills it soon after it was set
    account: the user that it runs as, for root only
    tied: if this process is killed, so is it, with all that it started; it takes 10 ms and 5 MB more. A program that
        cannot be started is then one that ends with status 127.
    inherited: open files that it gets, such as a lock that must outlast this process if it is killed
    errors: filled with its standard error while it runs, for another thread that looks how far it is
    """
    process = None
    lifeline = os.pipe() if tied else None  # neither end is inherited, unless it is passed on
    try:
        with signals_held():
            process = Process(
                command if lifeline is None else tied_command(command, lifeline[0]),
                stdin=PIPE if given else DEVNULL,
                stdout=PIPE,
                stderr=STDOUT if merged else PIPE,
                pass_fds=[*inherited, *(() if lifeline is None else lifeline[:1])],
                account=account,
            )
        with _Dialogue(process, given, max_output, None if merged else max_errors, errors) as dialogue:
            killed_for = dialogue.follow(time.monotonic() + limit_s, linger_s, cancelled or threading.Event())
    finally:
        gone = process is None or process.end(_REAP_S)
        for end in lifeline or ():
            os.close(end)
    assert process is not None  # else `Process` raised
    status = process.exit_status()
    return Finished(
        -SIGKILL if status is None else status, bytes(dialogue.output), bytes(dialogue.errors), killed_for, gone
    )


class _Dialogue:
    """The pipes of one process, and what was read from them. The caller ends the process."""

    def __init__(
        self, process: Process, given: bytes, max_output: int, max_errors: int | None, errors: bytearray | None
    ) -> None:
        """max_errors: None if standard error has no pipe of its own. errors: filled with it, if given."""
        self.output, self.errors = bytearray(), bytearray() if errors is None else errors
        self._process, self._flooded = process, False
        self._gathered = {"output": (self.output, max_output)}
        self._pipes = open_pipes()
        self._pipes.read(process.stdout, "output")
        if max_errors is not None:
            self._gathered["errors"] = (self.errors, max_errors)
            self._pipes.read(process.stderr, "errors")
        if given:
            self._pipes.write(process.stdin, given)

    def __enter__(self) -> "_Dialogue":
        return self

    def __exit__(self, *_: object) -> None:
        self._pipes.close()

    def follow(self, deadline_s: float, linger_s: float, cancelled: threading.Event) -> Limit | None:
        """Read and write until the process has ended and its output is read. Returns what to kill it for."""
        ended_s: float | None = None
        linger_s = max(linger_s, self._pipes.settle_s)
        while True:
            if ended_s is None and self._process.exit_status() is not None:
                ended_s = time.monotonic()
            patience_s = _TICK_S if ended_s is None else ended_s + linger_s - time.monotonic()
            moved = self._move(max(0.0, min(_TICK_S, patience_s)))
            if self._flooded:
                return "output"
            if ended_s is None:
                if cancelled.is_set():
                    return "cancelled"
                if time.monotonic() > deadline_s:
                    return "time"
            # All that it wrote itself is in the pipes by now. If they stay open, another process holds them: one that
            # it left behind, and that may live for ever.
            elif not self._pipes.left() or (not moved and patience_s <= 0):
                return None

    def _move(self, seconds: float) -> bool:
        """Wait for at most `seconds` for a pipe, or for the end if all pipes are closed; False if nothing came."""
        if not self._pipes.left():
            return self._process.wait(seconds)
        pieces = self._pipes.wait(seconds)
        for key, piece in pieces:
            gathered, most = self._gathered[str(key)]
            gathered += piece
            self._flooded = self._flooded or len(gathered) > most
        return bool(pieces)

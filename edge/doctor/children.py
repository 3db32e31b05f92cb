"""Try something dangerous in a child process, and report how that ended: answered, refused, crashed or hung.

The child writes its answer as JSON to standard output.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from edge.decoding import DecodingError, decode_json
from edge.processes.process import Account, Command, describe_exit, last_line, module_command
from edge.processes.run import MAX_BYTES, run

Ending = Literal["answered", "refused", "crashed", "hung"]
_CALL_S = 3.0
_interrupted = threading.Event()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a child ended.

    ending: of which kind that was
    answer: the decoded JSON if it answered, else None
    why: how it failed, in words
    """

    ending: Ending
    answer: Any = None
    why: str = ""


def try_command(command: Command, timeout_s: float, *, given: bytes = b"", account: Account | None = None) -> Outcome:
    """Run `command` for at most `timeout_s`, as `account` if one is given, and judge its end. given: what it can read
    from standard input."""
    if _interrupted.is_set():
        return Outcome("refused", why="interrupted")
    try:
        finished = run(command, timeout_s, given=given, cancelled=_interrupted, account=account)
    except OSError as error:  # no memory, too many processes
        return Outcome("refused", why=f"no process can be started to try it: {error.strerror or error}")
    if finished.killed_for == "cancelled":
        return Outcome("refused", why="interrupted")
    if finished.killed_for == "time":
        why = f"no answer within {timeout_s:g} s"
        if not finished.gone:
            why += ", and SIGKILL does not end it: only a restart of the board will"
        return Outcome("hung", why=why)
    if finished.killed_for == "output":
        return Outcome("refused", why=f"printed more than {MAX_BYTES >> 20} MiB")
    return _judge(finished.status, finished.output, finished.errors)


def _judge(status: int, output: bytes, errors: bytes) -> Outcome:
    if status < 0:
        return Outcome("crashed", why=describe_exit(status, errors))
    try:
        answer = decode_json(output, Any)
    except DecodingError:
        return Outcome("refused", why=last_line(errors) or describe_exit(status, errors))
    if isinstance(answer, dict) and set(answer) == {"refused"}:
        return Outcome("refused", why=str(answer["refused"]))
    return Outcome("answered", answer)


def probe(name: str, arguments: object, timeout_s: float, *, account: Account | None = None) -> Outcome:
    """Call one function of edge.doctor.probe in a child, as `account`, with `arguments` as JSON on its standard
    input."""
    # Not on the command line: a stream's address may hold a password, and every user can list processes.
    given = msgspec.json.encode(arguments)
    return try_command(module_command("edge.doctor.probe", [name]), timeout_s, given=given, account=account)


def call(words: Sequence[str]) -> str | None:
    """Return what a program of the system prints; None if it is missing, fails or takes longer than 3 s."""
    try:
        finished = run(Command(words), _CALL_S, cancelled=_interrupted)
    except OSError:
        return None
    ended_well = finished.killed_for is None and finished.status == 0
    return finished.output.decode(errors="replace") if ended_well else None


def interrupt() -> None:
    """End all children, and start no more in this process."""
    # Ctrl-C reaches this process only: each child has a session of its own.
    _interrupted.set()

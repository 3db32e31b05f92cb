"""Wait for the first result of a service, or for the reason why there is none."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.installing.layout import Layout
from edge.installing.system.programs import Programs
from edge.installing.system.services import status_of
from edge.printable import one_line
from edge.storage import read_bounded

# The unit gives up a start after 180 s.
LIMIT_S = 240.0
# So long a service must have lacked the same thing before that is the answer: a camera may be slow to open.
SETTLED_S = 20.0
# A service that has ended so often right after its start will end again.
_RESTARTS = 3
_STEP_S = 0.5
_MAX_BYTES = 1 << 20
_PROPERTIES = "ActiveState,SubState,Result,MainPID,ExecMainStatus,StatusText,InvocationID,NRestarts"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a start.

    text: the first result, or why there is none. serving: True if results come, or are not to come at present.
    """

    unit: str
    text: str
    serving: bool


class Clock:
    """Time, which a trial can replace."""

    now_s: Callable[[], float] = staticmethod(time.monotonic)
    sleep: Callable[[float], None] = staticmethod(time.sleep)


def invocation(programs: Programs, unit: str) -> str:
    """Return the id of the unit's present run, "" if it has none."""
    return _state(programs, unit).get("InvocationID", "")


def wait_for_result(
    layout: Layout, programs: Programs, unit: str, clock: Clock, *, not_of: str = "", limit_s: float = LIMIT_S
) -> Answer:
    """Return the first result, or the reason why there is none, `limit_s` after this was called at the latest.

    not_of: the id of a run that is about to end, whose results do not count.
    """
    begun_s = since_s = clock.now_s()
    lacking: Answer | None = None
    while True:
        state = _state(programs, unit)
        answer, is_final = None, False
        if not not_of or state.get("InvocationID") != not_of:
            answer, is_final = _judge(unit, state, _status(status_of(layout, unit), state.get("MainPID", "")))
        if answer is not None and is_final:
            return answer
        now_s = clock.now_s()
        if answer != lacking:
            lacking, since_s = answer, now_s
        if lacking is not None and (now_s - since_s >= SETTLED_S or now_s - begun_s >= limit_s):
            return lacking
        if now_s - begun_s >= limit_s:
            so_far = f"nothing within {limit_s:g} s" if limit_s else "nothing yet"
            return Answer(unit, f"{so_far}: {_words(state)}", serving=False)
        clock.sleep(_STEP_S)


def _judge(unit: str, state: dict[str, str], status: dict[str, Any]) -> tuple[Answer | None, bool]:
    """Return how it is at present, None if nothing is known yet; and whether that is final."""
    why, last, word = one_line(str(status.get("why", "")))[:600], status.get("last"), status.get("state")
    ended = why if why and word == "failed" else _words(state)
    if state.get("ActiveState") == "failed":
        return Answer(unit, f"the service ended: {ended}", serving=False), True
    if state.get("SubState") == "auto-restart":
        again = state.get("NRestarts", "").isdecimal() and int(state["NRestarts"]) >= _RESTARTS
        return Answer(unit, f"the service ends and starts again: {ended}", serving=False), again
    if (state.get("ActiveState"), state.get("SubState")) == ("inactive", "dead"):
        return Answer(unit, "the service does not run", serving=False), False
    if word == "asleep":
        return Answer(unit, f"no result yet, as the camera sleeps: {why}", serving=True), True
    if word in ("running", "degraded"):
        note = f" ({word}: {why})" if word == "degraded" else ""
        if isinstance(last, dict):
            return Answer(unit, f"first result: {_result(last)}{note}", serving=True), True
        # Its gate may let no frame through for hours.
        return Answer(unit, f"no result yet, but frames are looked at{note}", serving=True), False
    return (Answer(unit, f"no result: {word}: {why}", serving=False) if word == "recovering" else None), False


def _result(last: dict[str, Any]) -> str:
    score = last.get("score")
    return one_line(f"{last.get('label')}{f' {score:.2f}' if isinstance(score, int | float) else ''}")[:300]


def _state(programs: Programs, unit: str) -> dict[str, str]:
    printed = programs.run(["systemctl", "show", f"--property={_PROPERTIES}", unit]).printed
    return {key: value for key, equals, value in (line.partition("=") for line in printed.splitlines()) if equals}


def _status(path: Path, pid: str) -> dict[str, Any]:
    """Return the service's status if it is that of the process `pid`, or its last words; else nothing."""
    # The service's user may put anything there.
    try:
        read = json.loads(read_bounded(path, _MAX_BYTES, follow=False))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(read, dict):
        return {}
    is_over = pid in ("", "0")
    return read if (read.get("state") == "failed" if is_over else str(read.get("pid")) == pid) else {}


def _words(state: dict[str, str]) -> str:
    text = (
        state.get("StatusText") or f"result {state.get('Result', 'unknown')}, status {state.get('ExecMainStatus', '?')}"
    )
    return one_line(f"{state.get('ActiveState', 'unknown')} ({state.get('SubState', 'unknown')}): {text}")[:600]

"""Parse and time the faults of a synthetic camera, given as text: "run 5; stall 3; freeze 4; loop".

    run      a good camera             dark     black frames, bit for bit the same
    stall    reading waits             vanish   gone: reading and opening fail
    freeze   the last frame again      abort, segfault   the process dies of it
    repeat   another word for freeze   hang     reading never returns, not even after close

A number gives the seconds. A last step without one lasts for ever. After a last step with a number, the camera runs.
`loop` at the end begins again. Steps are separated by `;` or lines; `#` begins a comment.
"""

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ConfigError, MissingInputError
from edge.storage import read_bounded

_log = logging.getLogger(__name__)

WORDS = ("run", "stall", "freeze", "repeat", "dark", "vanish", "abort", "segfault", "hang")
MAX_STEPS = 10_000
MAX_BYTES = 1 << 20  # of a file: ten times what that many steps take
# Set by `keep_clock` for child processes: monotonic seconds, a clock that all processes share.
START_VARIABLE = "FIELDFARE_SCRIPT_START_S"
_FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class Step:
    """One word of a script and its seconds, which may be infinite."""

    word: str
    seconds: float = _FOREVER


@dataclass(frozen=True, slots=True)
class Script:
    """Steps one after the other; with `loop` they repeat for ever."""

    steps: tuple[Step, ...]
    loop: bool = False

    def at(self, elapsed_s: float) -> Step:
        """Return the step in force `elapsed_s` seconds after the start, with the seconds that it still lasts."""
        total_s = sum(step.seconds for step in self.steps)
        left_s = max(0.0, elapsed_s % total_s if self.loop else elapsed_s)
        for step in self.steps:
            if left_s < step.seconds:
                return Step(step.word, step.seconds - left_s)
            left_s -= step.seconds
        return Step(self.steps[-1].word, 0.0) if self.loop else Step("run")  # the loop's end, missed by rounding


def parse_script(text: str) -> Script:
    """Parse a script. Raises ConfigError with the wrong step and what is allowed."""
    lines = (line.partition("#")[0] for line in text.splitlines())
    words = [part.split() for line in lines for part in line.split(";") if part.strip()]
    loop = bool(words) and [word.lower() for word in words[-1]] == ["loop"]
    steps = tuple(_parse_step(step) for step in (words[:-1] if loop else words))
    if not steps or len(steps) > MAX_STEPS:
        raise ConfigError(
            f"camera.script has {len(steps)} steps: must be 1 to {MAX_STEPS}, such as run 5; stall 3; loop"
        )
    endless = [step.word for step in (steps if loop else steps[:-1]) if step.seconds == _FOREVER]
    if endless:
        raise ConfigError(
            f"camera.script: {endless[0]!r} needs its seconds, such as {endless[0]} 5: only the last step may go "
            "without, and none before loop"
        )
    return Script(tuple(Step("freeze" if step.word == "repeat" else step.word, step.seconds) for step in steps), loop)


def _parse_step(words: list[str]) -> Step:
    shown = " ".join(words)[:60]
    if words[0].lower() not in WORDS or len(words) > 2:
        raise ConfigError(
            f"camera.script: {shown!r}: must be a word and its seconds, such as stall 3; the words are "
            f"{', '.join(WORDS)}, and at the end loop"
        )
    try:
        seconds = float(words[1]) if len(words) == 2 else _FOREVER
    except ValueError:
        seconds = -1.0
    if len(words) == 2 and not 0.001 <= seconds <= 1e9:
        raise ConfigError(f"camera.script: {shown!r}: the seconds must be a number from 0.001 to 1000000000")
    return Step(words[0].lower(), seconds)


def keep_clock() -> None:
    """Start the clock of scripts that are not in a file, for this process and its children."""
    # A camera process that a script kills must go on in the script when it is restarted. With a clock of its own it
    # would begin again, and die again, for ever.
    os.environ[START_VARIABLE] = repr(time.monotonic())


class ScriptClock:
    """A script and the time since it began.

    The time of a text counts from `keep_clock`, or from now if that was not called. `@FILE` reads the script from a
    file. Its time counts from the last change of the file, and each change is read: `echo stall > FILE` acts at once.
    If a change cannot be read, the previous script stays in force, and a warning is logged.
    """

    def __init__(self, script: str) -> None:
        """Parse the script. Raises ConfigError if it is wrong, MissingInputError if its file cannot be read."""
        self._file = Path(script[1:]) if script.startswith("@") else None
        self._seen: tuple[int, int, int] | None = None
        self._complaint = ""
        self._started_s = 0.0  # by the wall clock for a file, like its time stamp; else by the monotonic clock
        if self._file is None:
            self._script, self._started_s = parse_script(script), _kept_start_s()
            return
        try:
            text, self._started_s = self._changed(self._file) or ("", 0.0)
            self._script = parse_script(text)
        except ConfigError as error:
            raise ConfigError(f"{self._file}: {error}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"camera.script {self._file}: {_reason(error)}") from error
        except (OSError, ValueError) as error:
            raise MissingInputError(f"camera.script {self._file}: cannot read: {_reason(error)}") from error

    def now(self) -> Step:
        """Return the step in force now, with the seconds that it still lasts."""
        if self._file is None:
            return self._script.at(time.monotonic() - self._started_s)
        try:
            text, written_s = self._changed(self._file) or ("", 0.0)
            if text.strip():  # `echo run > FILE` empties the file first
                self._script, self._started_s, self._complaint = parse_script(text), written_s, ""
        except (OSError, ValueError) as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                _log.warning("%s: %s; the previous script stays in force", self._file, _reason(error))
        return self._script.at(time.time() - self._started_s)

    def _changed(self, file: Path) -> tuple[str, float] | None:
        """Return the file's text and when it was written; None if it has not changed since the last call."""
        status = file.stat()
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        if seen == self._seen:
            return None
        self._seen = seen
        return read_bounded(file, MAX_BYTES).decode("utf-8-sig"), status.st_mtime


def _reason(error: OSError | ValueError) -> str:
    """Return what is wrong, without the name of the file."""
    if isinstance(error, UnicodeDecodeError):
        return f"must be UTF-8, as byte {error.start + 1} is not: save it as UTF-8"
    return getattr(error, "strerror", None) or str(error)


def _kept_start_s() -> float:
    now_s = time.monotonic()
    try:
        kept_s = float(os.environ[START_VARIABLE])
    except (KeyError, ValueError):
        return now_s
    return kept_s if 0 <= kept_s <= now_s else now_s

"""Run the system's programs: systemctl, udevadm, dpkg, venv, pip."""

import shlex
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from edge.errors import UnavailableError
from edge.printable import one_line
from edge.processes.process import Command
from edge.processes.run import run

QUICK_S = 60.0
_MAX_OUTPUT = 4 << 20
# Not the language of the user: some of what is printed is read.
_VARIABLES = {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "SYSTEMD_PAGER": "", "NO_COLOR": "1"}


class Outcome(NamedTuple):
    """How a program ended: its exit status (minus the signal), and what it printed, both streams together."""

    status: int
    printed: str

    @property
    def reason(self) -> str:
        """What it printed of its failure: the first line that is marked as an error, else the last one."""
        lines = [line.strip() for line in self.printed.splitlines() if line.strip()]
        marked = [line for line in lines if line.startswith(("ERROR: ", "Error: "))]
        return one_line([*marked, *lines[-1:]][0])[:600] if lines else f"status {self.status}"

    @property
    def complaint(self) -> str:
        """What a command of ours complained of, in one line: several faults stand below a heading."""
        _, ours, rest = f"\n{self.printed}".rpartition("\nfieldfare: ")
        lines = [line.strip() for line in rest.splitlines() if line.strip()]
        return one_line(" ".join(lines[:1]) + " " + "; ".join(lines[1:]))[:1000].strip() if ours else self.reason


class Programs(Protocol):
    """What runs programs."""

    def run(self, words: Sequence[str], limit_s: float = QUICK_S) -> Outcome:
        """Run a program to its end. One that cannot be started or takes too long is an Outcome, too."""


class SystemPrograms:
    """Runs them really."""

    def __init__(self, lock: Sequence[int] = ()) -> None:
        """lock: an open file that each program holds open, too: a killed installer may leave one behind, and the next
        installation must not begin while that still writes."""
        self._lock = lock

    def run(self, words: Sequence[str], limit_s: float = QUICK_S) -> Outcome:
        """Run a program, as Programs does."""
        try:
            done = run(
                Command(list(words), _VARIABLES), limit_s, merged=True, max_output=_MAX_OUTPUT, inherited=self._lock
            )
        except OSError as error:
            return Outcome(127, f"{words[0]}: {error.strerror or error}")
        printed = done.output.decode(errors="replace")
        if done.killed_for is not None:
            return Outcome(done.status, f"{printed}\nnot done within {limit_s:g} s")
        return Outcome(done.status, printed)


def must(programs: Programs, words: Sequence[str], fix: str, limit_s: float = QUICK_S, what: str = "") -> str:
    """Run a program that must succeed, and return what it printed. Raises UnavailableError with its reason.

    what: the command in words, if it is long.
    """
    outcome = programs.run(words, limit_s)
    if outcome.status != 0:
        raise UnavailableError(f"{what or one_line(shlex.join(words))}: {outcome.reason}: {fix}")
    return outcome.printed

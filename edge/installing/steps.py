"""What all of an installation shares, and what it is made of: steps, each with words for it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from edge.installing.layout import Layout
from edge.installing.system import services
from edge.installing.system.files import remove
from edge.installing.system.machine import Machine
from edge.installing.system.programs import Programs
from edge.installing.system.waiting import Clock


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the machine. says: what it does, in words."""

    says: str
    do: Callable[[], None]


def removal(path: Path, why: str = "") -> Step:
    """Return the step that removes a file or a folder."""
    return Step(f"remove {path}{why}", lambda: remove(path))


@dataclass(frozen=True, slots=True)
class Job:
    """Where and by what means.

    owner: the user that must own the folders. say: takes each line for people.
    """

    layout: Layout
    machine: Machine
    programs: Programs
    say: Callable[[str], None]
    owner: int = 0
    clock: Clock = field(default_factory=Clock)


def reload_step(job: Job) -> Step:
    """Return the step that lets systemd and udev read their files again."""
    return Step("let systemd and udev read their files again", lambda: _reload(job))


def _reload(job: Job) -> None:
    if why := services.reload(job.programs):
        job.say(f"  udev has not: {why}: its rules count from the next boot on")


def carry_out(job: Job, steps: Iterable[Step], *, dry_run: bool) -> None:
    """Carry out one step after another, or report them only."""
    for step in steps:
        job.say(f"would {step.says}" if dry_run else step.says)
        if not dry_run:
            step.do()

"""Steps that are done one after another, each with what it took and what came of it, and one verdict at the end."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import host


@dataclass
class Step:
    """What came of a step. said: its figures. failed: why it was not passed, "" if it was."""

    name: str
    took_s: float = 0.0
    said: list[str] = field(default_factory=list)
    failed: str = ""


class Say:
    """Takes the figures of the step that runs, and prints them."""

    def __init__(self, step: Step) -> None:
        """Say nothing yet."""
        self._step = step

    def __call__(self, text: str) -> None:
        """Print a figure, and keep it for the report."""
        self._step.said.append(text)
        print(f"    {text}", flush=True)


@dataclass(frozen=True)
class Todo:
    """A step to do. needed: whether the later ones are in vain without it."""

    name: str
    do: Callable[[Say], None]
    needed: bool = False


def run(todo: Sequence[Todo], report: Path) -> bool:
    """Do the steps in order; write the report, JSON, after each. Return whether all were passed.

    A step that fails does not end the run, unless later ones need it.
    """
    done: list[Step] = []
    for one in todo:
        step = Step(one.name)
        done.append(step)
        print(f"{one.name} ...", flush=True)
        began_s = time.monotonic()
        try:
            one.do(Say(step))
        except host.Failed as error:
            step.failed = str(error)
            print(f"    FAILED: {step.failed}", flush=True)
        step.took_s = round(time.monotonic() - began_s, 1)
        print(f"    {step.took_s:.0f} s", flush=True)
        report.write_text(json.dumps([asdict(step) for step in done], indent=1) + "\n")
        if step.failed and one.needed:
            break
    failed = [step.name for step in done if step.failed]
    left_out = len(todo) - len(done)
    print(
        f"{len(done)} steps in {sum(step.took_s for step in done):.0f} s: "
        + (f"FAILED: {', '.join(failed)}" if failed else "all passed")
        + (f"; {left_out} were not done" if left_out else ""),
        flush=True,
    )
    return not failed

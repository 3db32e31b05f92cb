"""Name the steps by which a fitted picture may be prepared, and check a choice of them.

A step's name stands for its exact arithmetic, with all its parameters (edge.preparation.steps). What it computes never
changes: another clip limit would be another name.
"""

import difflib
from collections.abc import Sequence

from edge.bundle.files import shortened
from edge.errors import BundleError

# In the order in which they are done, however they were given. Colours are balanced while there are colours; noise is
# smoothed before an equalization would make it louder.
STEPS = ("white-balance", "grey", "smooth", "equalize", "clahe")
_ONE_OF = ("equalize", "clahe")
# A manifest's list is read up to this length, so that one of a later version is an error in words.
MAX_STEPS = 64


def fault_of(steps: Sequence[str]) -> str | None:
    """Return in words why `steps` cannot be done; None if they can. They may be in any order."""
    for step in steps:
        if step not in STEPS:
            nearest = difflib.get_close_matches(step, STEPS, 1, 0.5)
            return f"{step!r} is unknown; {f'did you mean {nearest[0]}? ' if nearest else ''}known: {', '.join(STEPS)}"
    if len(set(steps)) < len(steps):
        return f"{next(step for step in steps if steps.count(step) > 1)!r} is there twice"
    if all(step in steps for step in _ONE_OF):
        return f"{' and '.join(_ONE_OF)} exclude each other: both spread the light"
    return None


def in_order(steps: Sequence[str]) -> tuple[str, ...]:
    """Return known steps in the order in which they are done."""
    return tuple(step for step in STEPS if step in steps)


def check_steps(steps: tuple[str, ...]) -> None:
    """Check what a manifest lists. Raises BundleError."""
    unknown = next((step for step in steps if step not in STEPS), None)
    if unknown is not None:
        fault: str | None = f"{unknown!r} is unknown to this version, which knows {', '.join(STEPS)}"
    else:
        fault = fault_of(steps)
    if fault is None and steps != in_order(steps):
        fault = f"{', '.join(steps)} must be in the order {', '.join(in_order(steps))}"
    if fault is not None:
        raise BundleError(f"manifest.json: preparation: {shortened(fault)}: update Fieldfare or make the bundle again")

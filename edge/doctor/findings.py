"""The doctor's findings and report."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from edge.printable import one_line

Kind = Literal["ok", "warning", "problem", "not here"]

PROBLEM_STATUS = 69  # as UnavailableError: something stands between camera and result


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """The result of looking at one thing.

    id: a fixed word for scripts
    looked_at: its title
    kind: how it is
    seen: what was found, or for "not here" why nothing was looked at
    mend: what to do, if anything
    """

    id: str
    looked_at: str
    kind: Kind
    seen: str
    mend: str | None = None


class Report(msgspec.Struct, frozen=True):
    """All findings in the order of the path from camera to result, and the exit status."""

    findings: tuple[Finding, ...]
    status: int


def report(findings: Iterable[Finding]) -> Report:
    """Build the report. Its status is 69 if there is a problem, else 0, even with warnings.

    What was seen may quote anything, from a camera's name to an address: it becomes printable here, without passwords.
    """
    everything = tuple(
        msgspec.structs.replace(f, seen=one_line(f.seen), mend=None if f.mend is None else one_line(f.mend))
        for f in findings
    )
    return Report(everything, PROBLEM_STATUS if any(f.kind == "problem" for f in everything) else 0)

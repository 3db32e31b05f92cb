"""What the doctor says."""

from collections.abc import Iterable
from typing import Literal

import msgspec

Kind = Literal["ok", "warning", "problem", "not here"]

PROBLEM_STATUS = 69  # as UnavailableError: something stands between camera and result


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was looked at. id: a fixed word for scripts. seen: what was found, or for "not here" why
    nothing was looked at. mend: what to do, where there is something to do."""

    id: str
    looked_at: str
    kind: Kind
    seen: str
    mend: str | None = None


class Report(msgspec.Struct, frozen=True):
    """All findings in the order of the path, and the exit status that they make."""

    findings: tuple[Finding, ...]
    status: int


def report(findings: Iterable[Finding]) -> Report:
    """Status 0 where nothing stands in the way (warnings included), else 69."""
    everything = tuple(findings)
    return Report(everything, PROBLEM_STATUS if any(f.kind == "problem" for f in everything) else 0)

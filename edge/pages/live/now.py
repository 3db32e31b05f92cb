"""Find out how the service is at this moment, and what its newest picture is."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.errors import DataError, MissingInputError
from edge.live.picture import STALE_S, Live, read
from edge.supervision.status import State, Status
from edge.supervision.status import read as read_status
from edge.supervision.systemd import STATUS

# gone: it does not run, and did not end properly. none: it never ran here. unknown: its status cannot be read.
Shown = State | Literal["gone", "none", "unknown"]
# States in which the camera gives frames.
_SEEING = ("running", "degraded")


@dataclass(frozen=True, slots=True)
class Now:
    """How the service is. why: of the state. status: its own words, None if there are none."""

    state: Shown
    why: str
    status: Status | None

    @property
    def sees(self) -> bool:
        """Return whether there can be a picture of this moment."""
        return self.state in _SEEING


def look(run_dir: Path | None) -> Now:
    """Return how the service is that keeps its files in `run_dir`."""
    if run_dir is None:
        return Now("none", "", None)
    try:
        status = read_status(run_dir / STATUS)
    except MissingInputError:
        return Now("none", "", None)
    except DataError as error:
        return Now("unknown", str(error), None)
    if status.is_alive() or status.state in ("failed", "stopped"):
        return Now(status.state, status.why, status)
    return Now("gone", "", status)


def newest(run_dir: Path | None, name: str, now: Now) -> Live | None:
    """Return the picture in a file of `run_dir`; None if there is none of this moment.

    name: PICTURE or FOCUS of edge.live.places.
    """
    if run_dir is None or not now.sees:
        return None
    try:
        live = read(run_dir / name)
    except (MissingInputError, DataError):
        return None
    # One of the future is of another boot.
    return live if 0 <= time.monotonic() - live.made_mono_s < STALE_S else None

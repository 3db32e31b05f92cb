"""Decide the state of the service after each event: pure rules, no clock.

    starting, recovering --frames are looked at--> running, or degraded if something is missing
    any                  --camera or worker fails--> recovering, or failed if trying again cannot help
    any                  --the schedule--> asleep --the schedule--> starting
    any                  --stop, or the end of the source--> stopped

`failed` and `stopped` are final: no later event changes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.errors import ConfigError, DataError, MissingInputError, MissingPackageError, StorageError, UnavailableError
from edge.supervision.recovery import Fault
from edge.supervision.status import State

# Exit statuses of faults that no repetition mends.
HOPELESS = frozenset(kind.exit_status for kind in (DataError, MissingInputError, MissingPackageError, ConfigError))
# Without --service, a program that never looked at a frame (or never got a result, if the engine may be to blame) gives
# up after so many starts. Three, because a crash at the
# start may be of the moment, and a person is waiting.
TRIES_BY_HAND = 3


@dataclass(slots=True)
class ServiceState:
    """The state, its reason, and the exit status once it is final.

    service: keep trying if the camera is missing from the start.
    endless: the source may be opened again; a replay would begin at its first picture.
    proven: frames were looked at since the program started.
    computed: a result came since the program started.
    starts: workers started so far.
    """

    service: bool
    endless: bool
    state: State = "starting"
    why: str = "starting"
    exit_status: int | None = None
    proven: bool = False
    computed: bool = False
    starts: int = 0
    _refused: int = 0  # starts in a row that failed
    _all_refused: int = 0
    _lines: tuple[str, ...] = ()

    @property
    def serves(self) -> bool:
        """Are frames looked at?"""
        return self.state in ("running", "degraded")

    @property
    def complaint(self) -> str | None:
        """Why the service failed, a line for each fault; None if it did not."""
        if self.state != "failed":
            return None
        return "\n".join(" ".join(line.split()) for line in self._lines or (self.why,))

    @property
    def tries(self) -> int:
        """How often a worker was started, or could not be."""
        return self.starts + self._all_refused

    def worker_starts(self) -> None:
        """Note that a worker was started; the state stays."""
        self.starts += 1
        self._refused = 0

    def worker_refused(self, why: str) -> None:
        """Note that no process could be started."""
        self._refused += 1
        self._all_refused += 1
        if not self.service and self._refused >= TRIES_BY_HAND:
            self._fail(why, UnavailableError.exit_status)
        else:
            self.recovers(why)

    def works(self, missing: Sequence[str], *, computed: bool) -> None:
        """Set "running", or "degraded" with the reasons in `missing`. computed: a result came, not only a frame that
        the gate turned away."""
        self.proven, self.computed = True, self.computed or computed
        self._enter("degraded" if missing else "running", "; ".join(missing) or "as configured")

    def camera_fails(self, why: str, status: int) -> None:
        """Note that the camera failed and the worker tries it again. status: the exit status of that error."""
        # Started by hand, and never a frame: the camera is most likely mistyped, and a person is waiting.
        if self._is_hopeless(status) or not (self.service or self.proven):
            self._fail(why, status)
        else:
            self.recovers(why)

    def worker_fails(self, fault: Fault) -> None:
        """Note that a worker ended badly."""
        once_more = fault.kind != "error" and self.starts < TRIES_BY_HAND
        proven = self.computed if fault.may_be_engine else self.proven
        gives_up = not (self.service or proven or once_more)
        if self._is_hopeless(fault.status) or not self.endless or gives_up:
            self._fail(fault.why, fault.status, fault.lines)
        else:
            self.recovers(fault.why)

    def recovers(self, why: str) -> None:
        """Set "recovering" with this reason."""
        self._enter("recovering", why)

    def sleeps(self, why: str) -> None:
        """Set "asleep": the schedule has stopped the worker. why: until when, and what else people must know."""
        self._enter("asleep", why)

    def wakes(self) -> None:
        """Leave "asleep" for "starting"."""
        self._enter("starting", "awake by the schedule")

    def ends(self) -> None:
        """Set "stopped": on request, or because the source has ended."""
        if self.exit_status is None:
            self._enter("stopped", "ended")
            self.exit_status = 0

    def loses(self, why: str) -> bool:
        """Note at the end that events or pictures were not kept. Return whether that is why the program fails: by hand
        it is, unless another reason is known, since a script must see it."""
        if self.service or self.exit_status != 0:
            return False
        self.state, self.why, self.exit_status = "failed", why, StorageError.exit_status
        return True

    def _is_hopeless(self, status: int) -> bool:
        # A service waits for a missing file, because the card or the stick that holds it may come back. And what has
        # worked before may be in the middle of being replaced: half a bundle is a damaged one.
        waits = self.service and (status == MissingInputError.exit_status or self.proven)
        return status in HOPELESS and not waits

    def _fail(self, why: str, status: int, lines: tuple[str, ...] = ()) -> None:
        if self.exit_status is None:
            self._enter("failed", why)
            self.exit_status, self._lines = status, lines

    def _enter(self, state: State, why: str) -> None:
        if self.exit_status is None:
            self.state, self.why = state, why

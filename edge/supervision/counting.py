"""The counts in the status: of frames, added up over one worker after the other, and of faults."""

from edge.processes.messages import Pulse
from edge.supervision.status import Status
from edge.supervision.worker_watch import Fault


class Counting:
    """Keeps `status.counts`. Used by the supervisor's thread."""

    def __init__(self, status: Status) -> None:
        self._status = status
        # Of the workers before this one: each counts from 0.
        self._captured = self._dropped = self._repeated = 0

    def frames(self, pulse: Pulse) -> None:
        """What the worker that runs has counted until now."""
        counts = self._status.counts
        counts.captured = self._captured + pulse.captured
        counts.dropped = self._dropped + pulse.dropped
        counts.repeated = self._repeated + pulse.repeated

    def worker_ends(self, pulse: Pulse) -> None:
        """Its last counts; the next one begins at 0."""
        self.frames(pulse)
        counts = self._status.counts
        self._captured, self._dropped, self._repeated = counts.captured, counts.dropped, counts.repeated

    def fault(self, fault: Fault) -> None:
        """A worker ended badly. To be said before the state is set to recovering."""
        counts = self._status.counts
        if fault.kind == "hang":
            counts.hangs += 1
        elif fault.kind == "crash":
            counts.crashes += 1
        if fault.part == "engine":
            counts.engine_faults += 1
        elif fault.part == "camera":
            self.camera_fault()

    def camera_fault(self) -> None:
        """One, however often the camera is tried before it is back."""
        if self._status.state != "recovering":
            self._status.counts.camera_faults += 1

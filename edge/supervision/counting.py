"""Count frames through all workers of a service, and faults, for its status."""

import msgspec

from edge.results import FrameCounts
from edge.supervision.recovery import Fault
from edge.supervision.status import Counts


class Counting:
    """Keeps `counts`, which begin at 0 with the service. Used by the supervisor's thread."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._earlier = FrameCounts()  # of all workers before this one
        self._pulsed = FrameCounts()  # of this worker, in its last pulse
        self._decided = 0  # decisions that this worker sent
        self._worker = 0

    def frames(self, worker: int, frames: FrameCounts) -> None:
        """Note what the worker with this number has counted since its start. Call it as often as you like: a number
        that is new adds the last counts of the worker before."""
        self._begin(worker)
        self._pulsed = frames
        self._sum()

    def decided(self, worker: int) -> None:
        """Note one decision that this worker sent."""
        # Its next pulse counts it, too, but a worker that crashes sends none: then the frames that the results came
        # from would be missing, and there would be more results than frames.
        self._begin(worker)
        self._decided += 1
        self._sum()

    def _begin(self, worker: int) -> None:
        if worker != self._worker:
            self._earlier, self._worker = self._earlier.plus(self._seen()), worker
            self._pulsed, self._decided = FrameCounts(), 0

    def _seen(self) -> FrameCounts:
        """Return what this worker has counted at least, from its last pulse and from the decisions since."""
        pulsed = self._pulsed
        late = max(0, self._decided - pulsed.decided)
        known = pulsed.dropped + pulsed.repeated + pulsed.turned_away + pulsed.decided + late
        return msgspec.structs.replace(pulsed, captured=max(pulsed.captured, known), decided=pulsed.decided + late)

    def _sum(self) -> None:
        total, counts = self._earlier.plus(self._seen()), self._counts
        counts.captured, counts.dropped, counts.repeated = total.captured, total.dropped, total.repeated
        counts.looked_at, counts.turned_away = total.looked_at, total.turned_away

    def fault(self, fault: Fault, *, recovering: bool) -> None:
        """Count a worker that ended badly, by the kind of the fault and by its part. recovering: as camera_fault."""
        counts = self._counts
        if fault.kind == "hang":
            counts.hangs += 1
        elif fault.kind == "crash":
            counts.crashes += 1
        if fault.part == "engine":
            counts.engine_faults += 1
        elif fault.part == "camera":
            self.camera_fault(recovering=recovering)

    def camera_fault(self, *, recovering: bool) -> None:
        """Count a camera that failed. recovering: the service was not serving already."""
        # A dead camera is tried once a second. That is one fault, however often it is tried.
        if not recovering:
            self._counts.camera_faults += 1

"""Join what is kept of the frames: sightings, samples and scores."""

import logging

from edge.records import Scores
from edge.results import Decision
from edge.worker.keeping.background import BackgroundThread
from edge.worker.keeping.harvest import Harvester
from edge.worker.keeping.scores import ScoreSender
from edge.worker.keeping.sightings import Sightings
from edge.worker.pipeline import Prepared

_log = logging.getLogger(__name__)

# A frame may have been captured so long ago and not yet be in inference. A time without frames is judged up to then, so
# that no sighting ends for lack of a frame that is on its way.
_ON_ITS_WAY_S = 0.25
# For the pictures of the last sightings. The supervisor gives a worker 3 s to end.
_CLOSE_S = 1.0


class Keeper:
    """An Observer of all frames that are decided on. `close` sends what is open. Used by one thread, the one that
    decides, beside a thread of its own for pictures.

    sightings, harvester, scores: what is wanted; None for what is not.
    """

    def __init__(
        self,
        thread: BackgroundThread,
        *,
        sightings: Sightings | None,
        harvester: Harvester | None,
        scores: ScoreSender | None,
    ) -> None:
        self._thread = thread
        self._sightings, self._harvester, self._scores = sightings, harvester, scores
        self._closed = False

    def look(self, prepared: Prepared, scores: Scores, decision: Decision) -> None:
        """See edge.worker.pipeline.Observer."""
        if self._sightings is not None:
            self._sightings.look(prepared, scores, decision)
        if self._harvester is not None:
            self._harvester.look(prepared, scores, decision)
        if self._scores is not None:
            self._scores.look(prepared, scores, decision)

    def pulse(self, now_mono_s: float, *, quiet: bool) -> None:
        """Do what is due about twice a second. Raises what ended the thread for pictures.

        quiet: no frame is in inference.
        """
        self._thread.check()
        if self._sightings is not None:
            if quiet:
                self._sightings.idle(now_mono_s - _ON_ITS_WAY_S)
            self._sightings.pulse(now_mono_s)

    def close(self) -> None:
        """End what is open, and send it with its pictures; safe to call twice. Raises OSError if the supervisor is
        gone."""
        if self._closed:
            return
        self._closed = True
        if self._sightings is not None:
            self._sightings.close()
        if self._scores is not None:
            self._scores.close()
        if not self._thread.close(_CLOSE_S):
            _log.warning("pictures of the last events were not ready within %g s", _CLOSE_S)

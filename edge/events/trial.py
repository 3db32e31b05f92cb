"""Try settings on a recording: collect the events that they would make of it."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.config.settings import Settings
from edge.events.detect import Detector
from edge.events.labels import background_of, thresholds_of
from edge.events.records import Sighting
from edge.results import Box


class Trial:
    """The events of a recording under `settings`, which is all that matters of them: [decision] and [events].

    events: those that have ended, by the clock of the recording.
    """

    def __init__(self, settings: Settings) -> None:
        self.events: list[Sighting] = []
        self._settings = settings
        self._detector: Detector | None = None
        self._shift_s = 0.0

    def begin(self, labels: Sequence[str], usual: Sequence[float], *, shift_s: float = 0.0) -> None:
        """Begin with a new detector, as a worker does when it starts.

        labels: one for each score. usual: their thresholds, if the settings give none.
        shift_s: added to the times of its frames for the clock of the recording.
        """
        decision = self._settings.decision
        thresholds = thresholds_of(labels, decision, usual)
        background = background_of(labels, decision.background)
        self._detector = Detector(labels, thresholds, background, self._settings.events)
        self._shift_s = shift_s

    def look(self, mono_s: float, scores: NDArray[np.float32], box: Box | None = None) -> None:
        """Judge a frame: see Detector.look."""
        if self._detector is not None:
            self._collect(self._detector.look(mono_s, scores, box))

    def end(self) -> None:
        """End what is open."""
        if self._detector is not None:
            self._collect(self._detector.close())

    def _collect(self, sightings: list[Sighting]) -> None:
        # Not shifted before it is judged: the mean is cut into times of the device's own clock, and what is replayed
        # must equal what was live.
        self.events += [_shifted(sighting, self._shift_s) for sighting in sightings if sighting.ended]


def _shifted(sighting: Sighting, seconds: float) -> Sighting:
    return msgspec.structs.replace(
        sighting,
        begin_mono_s=sighting.begin_mono_s + seconds,
        end_mono_s=sighting.end_mono_s + seconds,
        peak_mono_s=sighting.peak_mono_s + seconds,
    )

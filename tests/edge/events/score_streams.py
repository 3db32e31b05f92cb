"""Streams of scores for the tests of decisions over time, and what a detector makes of them."""

from collections.abc import Iterable, Sequence

import numpy as np

from edge.config.keeping import Events
from edge.events.detect import Detector
from edge.events.records import Sighting

LABELS = ("owl", "wren", "nothing")
OWL, WREN, NOTHING = range(3)
FPS = 10.0
# A mean over some frames, for what depends on it. By default there is none at ten frames a second.
SMOOTH = Events(smoothing_s=0.5, hysteresis=0.2)
BEGAN_S = 1000.0
# Seconds, and the score of each label in them.
Part = tuple[float, tuple[float, ...]]
OWL_SEEN = (0.9, 0.05, 0.05)
WREN_SEEN = (0.05, 0.9, 0.05)
NOTHING_SEEN = (0.02, 0.03, 0.95)
UNSURE = (0.5, 0.45, 0.05)
Frames = list[tuple[float, tuple[float, ...]]]


def stream(*parts: Part, fps: float = FPS) -> Frames:
    """Return frames at `fps`: each with its time and its scores."""
    scores = [values for seconds, values in parts for _ in range(round(seconds * fps))]
    return [(BEGAN_S + number / fps, values) for number, values in enumerate(scores)]


def detector(events: Events, threshold: float = 0.7) -> Detector:
    return Detector(LABELS, [threshold] * len(LABELS), frozenset({"nothing"}), events)


def feed(subject: Detector, frames: Iterable[tuple[float, tuple[float, ...]]]) -> list[Sighting]:
    """Return all that it reports for these frames."""
    return [found for mono_s, values in frames for found in subject.look(mono_s, np.array(values, np.float32))]


def all_reports(frames: Frames, events: Events, threshold: float = 0.7) -> list[Sighting]:
    """Return all that a new detector reports, up to its end."""
    subject = detector(events, threshold)
    return feed(subject, frames) + subject.close()


def ended(sightings: Sequence[Sighting]) -> list[Sighting]:
    return [sighting for sighting in sightings if sighting.ended]


def found(frames: Frames, events: Events | None = None, threshold: float = 0.7) -> list[str]:
    """Return the labels of the events of a stream."""
    return [sighting.label for sighting in ended(all_reports(frames, events or Events(), threshold))]

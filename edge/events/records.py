"""Define sightings, events and what is kept beside them: small frozen records without arrays.

A **sighting** is what the worker sees: one label over a time. The supervisor completes it to an **event**, which has an
identity, and the recorder keeps that. Times are of the monotonic clock of one boot; the recorder finds the wall time.
"""

from typing import Literal

import msgspec

from edge.results import Box, Candidate

# How far a wall time can be trusted: by a time server, by a real-time clock, set by a person, not at all.
ClockQuality = Literal["ntp", "rtc", "hand", "none"]
PictureKind = Literal["best", "crop", "before", "after"]
# Why a frame was kept for the next training.
Reason = Literal["uncertain", "unknown", "smoothing", "engines", "random"]


class Sighting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One label in view, from the worker.

    number: counts from 1 in each worker's life.
    begin_mono_s, end_mono_s: the first and the last frame that showed it, so far.
    peak, mean: of its smoothed scores, 0..1. peak_mono_s: when the peak was.
    runner_up: the best other label at the peak, None if there is none.
    frames: how many frames it was judged on.
    box: where it is, if anything locates it.
    ended: nothing of it will change any more.
    """

    number: int
    label: str
    begin_mono_s: float
    end_mono_s: float
    peak: float
    peak_mono_s: float
    mean: float
    frames: int
    runner_up: Candidate | None = None
    box: Box | None = None
    ended: bool = False


class PictureInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A JPEG that travels beside its message as an open file. width, height: in pixels."""

    kind: PictureKind
    captured_mono_s: float
    width: int
    height: int


class Sample(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A frame kept for the next training, from the worker. Its JPEG travels beside the message as an open file.

    label, score: the decision of this frame. top: its best candidates. reasons: why it was kept.
    """

    captured_mono_s: float
    label: str
    score: float
    top: tuple[Candidate, ...]
    reasons: tuple[Reason, ...]
    width: int
    height: int


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person wants to know: a label, from a begin to an end. (device, boot, sequence) is its identity.

    device: the device's name. boot: the id of the boot. sequence: grows within a boot; milliseconds since the boot when
        the event was first heard of, so that no process need remember the last one.
    label to box: as in Sighting.
    engine, fallback, bundle: as in Result. camera: what the camera is called. temperature_c: of the board.
    latitude, longitude: from the settings.
    ended: False while it goes on.
    """

    device: str
    boot: str
    sequence: int
    label: str
    begin_mono_s: float
    end_mono_s: float
    peak: float
    peak_mono_s: float
    mean: float
    frames: int
    engine: str
    bundle: str
    camera: str
    runner_up: Candidate | None = None
    box: Box | None = None
    fallback: str | None = None
    temperature_c: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    ended: bool = True

    @property
    def name(self) -> str:
        """The identity as one word, fit for file names and topics."""
        return f"{self.device}-{self.boot[:8]}-{self.sequence}"

"""Define what is read from the store: events with their wall times, marks and pictures."""

from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from edge.events.records import ClockQuality, Event, PictureKind, Sample

# What a person found: the label is right, is wrong (and the right one is not known), or is another one.
Verdict = Literal["right", "wrong", "other"]


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person's word on an event. label: the right one if the verdict is "other". by: who, if they said so."""

    verdict: Verdict
    label: str | None = None
    by: str | None = None
    wall_s: float = 0.0


class StoredPicture(msgspec.Struct, frozen=True, kw_only=True):
    """A JPEG of an event. path: absolute. size: in bytes. width, height: in pixels."""

    kind: PictureKind
    path: Path
    size: int
    width: int
    height: int
    captured_mono_s: float
    captured_wall_s: float
    sha256: str


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that has ended.

    number: grows in the order in which events ended up on the disk, for cursors; 1 is the first of this store.
    begin_wall_s, end_wall_s: seconds since 1970 UTC, as far as `clock` can be trusted; mended later if it becomes so.
    """

    number: int
    event: Event
    begin_wall_s: float
    end_wall_s: float
    clock: ClockQuality
    mark: Mark | None = None
    exported: bool = False
    pictures: tuple[StoredPicture, ...] = ()

    @property
    def label(self) -> str:
        """The label that a person gave it, else its own."""
        return self.mark.label if self.mark is not None and self.mark.label else self.event.label


class NewSample(msgspec.Struct, frozen=True, kw_only=True):
    """A frame for the next training, for the store. path: of its JPEG, absolute."""

    sample: Sample
    device: str
    boot: str
    engine: str
    bundle: str
    captured_wall_s: float
    clock: ClockQuality
    path: Path
    size: int
    sha256: str


class StoredSample(NewSample, frozen=True, kw_only=True):
    """A frame kept for the next training."""

    number: int
    exported: bool = False


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events. labels: any of them, by the label that people gave, if they did. since_wall_s <= begin <
    until_wall_s. least_score <= peak <= most_score. checked: marked by a person, or not. exported: or not yet."""

    labels: tuple[str, ...] = ()
    since_wall_s: float | None = None
    until_wall_s: float | None = None
    least_score: float | None = None
    most_score: float | None = None
    checked: bool | None = None
    exported: bool | None = None


class Labelled(NamedTuple):
    """An event that a person marked right, or gave another label. bundle: the id of the one that saw it. best, crop:
    its pictures, None if there is none."""

    label: str
    bundle: str
    best: Path | None
    crop: Path | None


class Stay(NamedTuple):
    """Where a device stood for a time. first: number of its first event there. latitude, longitude: None if unknown."""

    first: int
    device: str
    latitude: float | None
    longitude: float | None

    @property
    def place(self) -> tuple[float | None, float | None]:
        """Its latitude and longitude."""
        return self.latitude, self.longitude


class HourCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many events of a label began in an hour. hour_s: its begin, in seconds since 1970 UTC."""

    label: str
    hour_s: int
    events: int

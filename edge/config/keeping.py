"""The sections of what is kept: the device, events, pictures, the harvest, and when the camera sleeps."""

from typing import Annotated, Literal, get_args

from msgspec import Meta

from edge.config.sections import Section, Text

# A name is part of topics, file names and tables.
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z"
# Not \d, which takes the digits of every script. An offset is under 13 hours.
_MOMENT = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|(sunrise|sunset)([+-](0?[0-9]|1[0-2]):[0-5][0-9])?)\Z"
_NAME_WORDS = "1 to 64 letters, digits, dots, hyphens and underscores, the first a letter or digit"
_MOMENT_WORDS = 'a time such as "06:30", or "sunrise" or "sunset", with or without an offset such as "sunset-0:30"'
Name = Annotated[str, Meta(pattern=_NAME, max_length=64, description=_NAME_WORDS)]
Moment = Annotated[str, Meta(pattern=_MOMENT, description=_MOMENT_WORDS)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS_WORDS = f"a list of {', '.join(get_args(Day)[:-1])} or sun, at least one; leave it out for every day"
Megabytes = Annotated[int, Meta(ge=0, le=10_000_000)]


class Device(Section, frozen=True, kw_only=True):
    """[device]: which device this is, and its place on Earth.

    - name: part of every event's identity; None: the host's name, with the name of the instance if there are several.
    - camera: what the camera is called in events; None: the source.
    - latitude, longitude: decimal degrees (WGS 84), both or neither. uncertainty_m: metres.
    - taxonomy: a CSV with the kind and the scientific name of each label (edge.events.taxonomy); None: the bundle's.
    """

    name: Name | None = None
    camera: Text | None = None
    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None = None
    uncertainty_m: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    taxonomy: Text | None = None

    def __post_init__(self) -> None:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("longitude must be given together with latitude, or neither")


class Events(Section, frozen=True, kw_only=True):
    """[events]: from scores over time to events.

    - store: the database; None: no events are kept.
    - smoothing_s: scores are means over so long.
    - hysteresis: a label goes on being shown while its score is at least the threshold less this.
    - min_duration_s: what is shown for less time in all is no event. One frame is enough if they are that far apart.
    - gap_s: what is out of view for so long has ended; what is not is still the same visit.
    - cool_down_s: after an event none of the same label begins for so long.
    - unknown: also make events of what is not background and reaches no threshold.
    - durable_within_s: seconds after its end within which an event is on the disk.
    - max_mb: what the database may take; the oldest exported events go first, then the oldest.
    - scores: file of a score log for `fieldfare replay`; scores_max_mb: what it and its one predecessor may take.
    """

    store: Text | None = None
    smoothing_s: Annotated[float, Meta(ge=0, le=60)] = 0.1
    hysteresis: Annotated[float, Meta(ge=0, le=1)] = 0.3
    min_duration_s: Annotated[float, Meta(ge=0, le=3600)] = 0.5
    gap_s: Annotated[float, Meta(ge=0.1, le=3600)] = 2.0
    cool_down_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    unknown: bool = False
    durable_within_s: Annotated[float, Meta(ge=1, le=3600)] = 15.0
    max_mb: Annotated[int, Meta(ge=10, le=1_000_000)] = 2000
    scores: Text | None = None
    scores_max_mb: Annotated[int, Meta(ge=1, le=100_000)] = 64


class Pictures(Section, frozen=True, kw_only=True):
    """[pictures]: what is kept of each event as JPEG, if events are kept.

    - best: the frame with the highest score.
    - crop: also the part of it that was classified, or the box if there is one.
    - before, after: frames of a burst before the event's begin, and after its end. burst_every_s: seconds between them.
    - quality, max_side: of the JPEG.
    - folder: None: `pictures` beside the store.
    - max_mb: what all pictures may take. reserve_mb: what must stay free on their disk.
    """

    best: bool = True
    crop: bool = False
    before: Annotated[int, Meta(ge=0, le=20)] = 0
    after: Annotated[int, Meta(ge=0, le=20)] = 0
    burst_every_s: Annotated[float, Meta(ge=0.05, le=60)] = 0.5
    quality: Annotated[int, Meta(ge=30, le=100)] = 85
    max_side: Annotated[int, Meta(ge=64, le=8192)] = 1280
    folder: Text | None = None
    max_mb: Megabytes = 2000
    reserve_mb: Megabytes = 500


class Harvest(Section, frozen=True, kw_only=True):
    """[harvest]: frames that are kept for the next training, under a budget of their own.

    - max_mb: what they may take; 0: none are kept. folder: None: `harvest` beside the store.
    - uncertain: the best score is near its threshold, or the two best are near each other.
    - unknown: no label reached its threshold, and it is no background.
    - disagreement: smoothing changed the label, or CPU and Edge TPU differ.
    - random_per_hour: drawn at random.
    - every_s: at most one of each reason in so many seconds.
    """

    max_mb: Megabytes = 0
    folder: Text | None = None
    uncertain: bool = True
    unknown: bool = True
    disagreement: bool = True
    random_per_hour: Annotated[float, Meta(ge=0, le=3600)] = 1.0
    every_s: Annotated[float, Meta(ge=1, le=86_400)] = 60.0


class Window(Section, frozen=True, kw_only=True, rename={"begin": "from", "end": "to"}):
    """A time of the day in which the camera is awake; over midnight if its end is not after its begin.

    begin, end: "HH:MM" or "sunrise" or "sunset" with an offset, such as "sunset-0:30". days: those on which it begins;
    None: all.
    """

    begin: Moment
    end: Moment
    # An empty list would read as "never" and mean "always".
    days: Annotated[tuple[Day, ...], Meta(min_length=1, description=_DAYS_WORDS)] | None = None

    @property
    def needs_sun(self) -> bool:
        """Whether sunrise or sunset is part of it."""
        return self.begin.startswith("sun") or self.end.startswith("sun")


class Schedule(Section, frozen=True, kw_only=True):
    """[schedule]: when the camera is awake; no window: always. timezone: such as Europe/Berlin; None: the system's."""

    awake: Annotated[tuple[Window, ...], Meta(max_length=64)] = ()
    timezone: Text | None = None

"""Write events as rows of media.csv, observations.csv and fieldfare-scores.csv."""

from collections.abc import Iterator

from edge import __version__
from edge.exports.camtrap.kinds import Observed
from edge.exports.columns import clean
from edge.exports.media import Named
from edge.exports.times import to_second
from edge.store.records import StoredEvent

MEDIA = (
    *("mediaID", "deploymentID", "captureMethod", "timestamp", "filePath", "filePublic", "fileName"),
    *("fileMediatype", "exifData", "favorite", "mediaComments"),
)
OBSERVATIONS = (
    *("observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd", "observationLevel"),
    *("observationType", "cameraSetupType", "scientificName", "count", "lifeStage", "sex", "behavior"),
    *("individualID", "individualPositionRadius", "individualPositionAngle", "individualSpeed"),
    *("bboxX", "bboxY", "bboxWidth", "bboxHeight", "classificationMethod", "classifiedBy"),
    *("classificationTimestamp", "classificationProbability", "observationTags", "observationComments"),
)
# Name, type and what it is, of our own table.
SCORES = (
    ("observationID", "string", "The observation of the whole event (observationLevel = event)."),
    ("machineLabel", "string", "What the model took it for, whatever people said later."),
    ("peakScore", "number", "The highest score, smoothed over time."),
    ("meanScore", "number", "The mean of the scores over the event."),
    ("runnerUp", "string", "The second best label when the score was highest."),
    ("runnerUpScore", "number", "Its score then."),
    ("frames", "integer", "How many frames the event was judged on."),
    ("durationSeconds", "number", "From the first to the last of them; right even if the time of day is wrong."),
    ("bundle", "string", "Id of the model bundle."),
    ("engine", "string", "What the model ran on."),
    ("fallback", "string", "Why it did not run on what the settings name."),
    ("clock", "string", "How far the times can be trusted: ntp, rtc, hand or none."),
    ("boardTemperature", "number", "Of the board, in degrees Celsius."),
)
# Nothing was computed on the other frames of a burst.
_JUDGED = ("best", "crop")


def media_row(named: Named, deployment: str, *, public: bool) -> list[str]:
    """Return the row of a picture."""
    values = {
        "mediaID": media_id(named),
        "deploymentID": deployment,
        "captureMethod": "activityDetection",
        "timestamp": to_second(named.picture.captured_wall_s),
        "filePath": named.name,
        "filePublic": "true" if public else "false",
        "fileName": named.name.rpartition("/")[2],
        "fileMediatype": "image/jpeg",
    }
    return [values.get(column, "") for column in MEDIA]


def media_id(named: Named) -> str:
    """Return the id of a picture: its file name, which no other picture of any device has."""
    return named.name.rpartition("/")[2].removesuffix(".jpg")


def observation_rows(
    stored: StoredEvent, seen: Observed, kept: tuple[Named, ...], deployment: str
) -> Iterator[list[str]]:
    """Yield the row of the event, then one for each picture of it."""
    common = {
        "deploymentID": deployment,
        "eventID": stored.event.name,
        "eventStart": to_second(stored.begin_wall_s),
        "eventEnd": to_second(stored.end_wall_s),
    }
    judged = common | {
        "observationType": seen.kind,
        "scientificName": (seen.taxon and seen.taxon.scientific_name) or "",
        "observationTags": "|".join(seen.tags),
        **_classified(stored),
    }
    yield _row(judged | {"observationID": stored.event.name, "observationLevel": "event"})
    for named in kept:
        name = media_id(named)
        level = {"observationID": f"{name}-obs", "observationLevel": "media", "mediaID": name}
        if named.picture.kind in _JUDGED:
            box = _box(stored) if named.picture.kind == "best" else {}
            yield _row(judged | level | box)
        else:
            yield _row(common | level | {"observationType": "unclassified"})


def score_row(stored: StoredEvent) -> list[str]:
    """Return the row of our own table."""
    event = stored.event
    values = (
        event.name,
        event.label,
        f"{event.peak:.4f}",
        f"{event.mean:.4f}",
        event.runner_up.label if event.runner_up is not None else "",
        f"{event.runner_up.score:.4f}" if event.runner_up is not None else "",
        str(event.frames),
        f"{event.end_mono_s - event.begin_mono_s:.3f}",
        event.bundle,
        event.engine,
        event.fallback or "",
        stored.clock,
        f"{event.temperature_c:.1f}" if event.temperature_c is not None else "",
    )
    return [clean(value) for value in values]


def _row(values: dict[str, str]) -> list[str]:
    return [clean(values.get(column, "")) for column in OBSERVATIONS]


def _classified(stored: StoredEvent) -> dict[str, str]:
    event, mark = stored.event, stored.mark
    if mark is not None:
        return {
            "classificationMethod": "human",
            "classifiedBy": mark.by or "",
            "classificationTimestamp": to_second(mark.wall_s) if mark.wall_s else "",
        }
    return {
        "classificationMethod": "machine",
        "classifiedBy": f"Fieldfare {__version__}, model bundle {event.bundle}, {event.engine}",
        "classificationTimestamp": to_second(stored.end_wall_s),
        "classificationProbability": f"{event.peak:.4f}",
    }


def _box(stored: StoredEvent) -> dict[str, str]:
    if stored.event.box is None:
        return {}
    names = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")
    return dict(zip(names, (f"{share:.6g}" for share in stored.event.box), strict=True))

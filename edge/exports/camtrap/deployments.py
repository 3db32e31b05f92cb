"""Make deployments of where devices stood: one for each device and place in the time of the export."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge.errors import DataError
from edge.exports.camtrap.project import Deployment
from edge.exports.selection import Period, Place
from edge.exports.times import day_of, to_second

COLUMNS = (
    *("deploymentID", "locationID", "locationName", "latitude", "longitude", "coordinateUncertainty"),
    *("deploymentStart", "deploymentEnd", "setupBy", "cameraID", "cameraModel", "cameraDelay", "cameraHeight"),
    *("cameraDepth", "cameraTilt", "cameraHeading", "detectionDistance", "timestampIssues", "baitUse", "featureType"),
    *("habitat", "deploymentGroups", "deploymentTags", "deploymentComments"),
)


@dataclass(frozen=True, slots=True)
class Deployed:
    """A row of deployments.csv. start, end: with a time zone, as written there."""

    name: str
    latitude: float
    longitude: float
    start: str
    end: str
    values: Mapping[str, Any]

    def cells(self) -> Iterator[str]:
        """Yield the row."""
        for column in COLUMNS:
            value = self.values.get(column)
            yield str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def deployed(
    periods: Mapping[Place, Period], given: Mapping[str, Deployment], position: tuple[float, float] | None
) -> dict[Place, Deployed]:
    """Return the deployments.

    given: what the project's file holds, by device.
    position: latitude and longitude of devices without any.

    Raises DataError if a device has no position, or if a device of the file is not in the export.
    """
    devices = {device for device, *_ in periods}
    if strangers := sorted(set(given) - devices):
        raise DataError(
            f"[deployments.{strangers[0]}]: no event is of this device: the export holds {', '.join(sorted(devices))}"
        )
    names: set[str] = set()
    return {place: _deployed(place, period, given.get(place[0]), position, names) for place, period in periods.items()}


def _deployed(
    place: Place, period: Period, given: Deployment | None, position: tuple[float, float] | None, names: set[str]
) -> Deployed:
    device, latitude, longitude = place
    if given is not None and given.latitude is not None:
        latitude, longitude = given.latitude, given.longitude
    elif latitude is None and position is not None:
        latitude, longitude = position
    if latitude is None or longitude is None:
        raise DataError(
            f"device {device} has no position, which Camtrap DP demands: give --position LATITUDE,LONGITUDE, or set "
            "[device] latitude and longitude for the events to come"
        )
    extra = {name: getattr(given, name) for name in given.__struct_fields__} if given is not None else {}
    start, end = extra.get("deploymentStart"), extra.get("deploymentEnd")
    values = {
        **extra,
        "deploymentID": _name(device, period, names),
        "latitude": latitude,
        "longitude": longitude,
        "deploymentStart": start or to_second(period.begin_s),
        # The fraction is cut off, and nothing may be later than this.
        "deploymentEnd": end or to_second(period.end_s + 1),
        "cameraID": extra.get("cameraID") or device,
        "timestampIssues": period.untrusted > 0,
    }
    return Deployed(
        values["deploymentID"], latitude, longitude, values["deploymentStart"], values["deploymentEnd"], values
    )


def _name(device: str, period: Period, names: set[str]) -> str:
    """Return an id that grows by its time, so that packages of one device can be joined."""
    first = name = f"{device}-{day_of(period.begin_s)}"
    number = 2
    while name in names:
        name, number = f"{first}-{number}", number + 1
    names.add(name)
    return name

"""Make deployments of where devices stood: one for each stay of a device at a place in the time of the export."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from edge.errors import DataError
from edge.exports.camtrap.project import Deployment, wall_s_of
from edge.exports.selection import Period
from edge.exports.times import day_of, to_second
from edge.store.records import Stay

COLUMNS = (
    *("deploymentID", "locationID", "locationName", "latitude", "longitude", "coordinateUncertainty"),
    *("deploymentStart", "deploymentEnd", "setupBy", "cameraID", "cameraModel", "cameraDelay", "cameraHeight"),
    *("cameraDepth", "cameraTilt", "cameraHeading", "detectionDistance", "timestampIssues", "baitUse", "featureType"),
    *("habitat", "deploymentGroups", "deploymentTags", "deploymentComments"),
)

_NONE = Deployment()


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
    periods: Mapping[Stay, Period], given: Mapping[str, Deployment], position: tuple[float, float] | None
) -> dict[Stay, Deployed]:
    """Return the deployments.

    given: what the project's file holds, by device.
    position: latitude and longitude of devices without any.

    Raises DataError if a device has no position, if a device of the file is not in the export, or if the file
    contradicts what its events hold.
    """
    devices = {stay.device for stay in periods}
    if strangers := sorted(set(given) - devices):
        raise DataError(
            f"[deployments.{strangers[0]}]: no event is of this device: the export holds {', '.join(sorted(devices))}"
        )
    names: set[str] = set()
    found = {}
    for stay, period in periods.items():
        mine = given.get(stay.device, _NONE)
        stays = sorted(one for one in periods if one.device == stay.device)
        if len(stays) > 1:
            # It was set up at its first place and taken down at its last.
            start = mine.deploymentStart if stay == stays[0] else None
            end = mine.deploymentEnd if stay == stays[-1] else None
            mine = msgspec.structs.replace(mine, deploymentStart=start, deploymentEnd=end)
        if (places := len({one.place for one in stays})) > 1:
            _refuse_of_one_place(stay.device, stays, places, mine)
            if stay.latitude is not None:
                mine = msgspec.structs.replace(mine, latitude=None, longitude=None)
        found[stay] = _deployed(stay, period, mine, position, names)
    return found


def _refuse_of_one_place(device: str, stays: Sequence[Stay], places: int, given: Deployment) -> None:
    """Raise DataError for what the file holds of one place, if the device stood at several."""
    wrong = None
    if given.latitude is not None and all(stay.latitude is not None for stay in stays):
        wrong = f"latitude = {given.latitude:g}"
    elif given.locationID is not None:
        wrong = f"locationID = {given.locationID!r}"
    if wrong is not None:
        raise DataError(
            f"[deployments.{device}] {wrong}: the device stood at {places} places, and its events have the "
            "position of each: leave it out, or export one place at a time with --since and --until"
        )


def _deployed(
    stay: Stay, period: Period, given: Deployment, position: tuple[float, float] | None, names: set[str]
) -> Deployed:
    _, device, latitude, longitude = stay
    if given.latitude is not None:
        latitude, longitude = given.latitude, given.longitude
    elif latitude is None and position is not None:
        latitude, longitude = position
    if latitude is None or longitude is None:
        raise DataError(
            f"device {device} has no position, which Camtrap DP demands: give --position LATITUDE,LONGITUDE, or set "
            "[device] latitude and longitude for the events to come"
        )
    _check_times(device, period, given)
    values = {
        **{name: getattr(given, name) for name in given.__struct_fields__},
        "deploymentID": _name(device, period, names),
        "latitude": latitude,
        "longitude": longitude,
        "deploymentStart": given.deploymentStart or to_second(period.begin_s),
        # The fraction is cut off, and nothing may be later than this.
        "deploymentEnd": given.deploymentEnd or to_second(period.end_s + 1),
        "cameraID": given.cameraID or device,
        "timestampIssues": period.untrusted > 0,
    }
    return Deployed(
        values["deploymentID"], latitude, longitude, values["deploymentStart"], values["deploymentEnd"], values
    )


def _check_times(device: str, period: Period, given: Deployment) -> None:
    """Raise DataError if the file has the device set up after its first event, or taken down before its last."""
    # If no time can be trusted, the file's are better; then only their own order counts.
    trusted = period.untrusted < period.events
    start, end = given.deploymentStart, given.deploymentEnd
    if start is not None and wall_s_of(start) > (period.begin_s if trusted or end is None else wall_s_of(end)):
        raise DataError(
            f"[deployments.{device}] deploymentStart = {start}: must not be after the first event of the export "
            f"({to_second(period.begin_s)}{_doubt(trusted, 'deploymentEnd')}): correct it, or choose with --since"
        )
    if end is not None and wall_s_of(end) < int(period.end_s if trusted or start is None else wall_s_of(start)):
        raise DataError(
            f"[deployments.{device}] deploymentEnd = {end}: must not be before the last event of the export "
            f"({to_second(period.end_s)}{_doubt(trusted, 'deploymentStart')}): correct it, or choose with --until"
        )


def _doubt(trusted: bool, other: str) -> str:
    return "" if trusted else f", by a clock that was not set: give {other}, too"


def _name(device: str, period: Period, names: set[str]) -> str:
    """Return an id that grows by its time, so that packages of one device can be joined."""
    first = name = f"{device}-{day_of(period.begin_s)}"
    number = 2
    while name in names:
        name, number = f"{first}-{number}", number + 1
    names.add(name)
    return name

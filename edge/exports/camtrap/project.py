"""Read what a package states about its project: a small TOML file, under the names that Camtrap DP has for it."""

import errno
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from edge.errors import ConfigError, MissingInputError
from edge.storage import read_bounded

_MOST_BYTES = 1 << 20
_DATE_TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})\Z"
_LICENCE = r"^[-a-zA-Z0-9._]+\Z"
# A whole address, or a path that stays in the package.
_PATH = r"^[^./~](?!.*\.\.)[^\x00-\x1f]*\Z"
_TAG = r"^[^\x00-\x1f]+\Z"

Text = Annotated[str, Meta(min_length=1, max_length=10_000)]
Line = Annotated[str, Meta(min_length=1, max_length=1000, pattern=_TAG)]
DateTime = Annotated[str, Meta(pattern=_DATE_TIME)]
Metres = Annotated[float, Meta(ge=0, le=100_000)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Base: an unknown key is an error, since a slip in it would lose what it holds."""


class Contributor(_Part, frozen=True):
    """Who took part. title: the name."""

    title: Line
    email: Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+\Z", max_length=320)] | None = None
    path: Annotated[str, Meta(pattern=r"^https?://[^\s]+\Z", max_length=1000)] | None = None
    role: Literal["contact", "principalInvestigator", "rightsHolder", "publisher", "contributor"] = "contributor"
    organization: Line | None = None


class Licence(_Part, frozen=True):
    """What others may do. scope: with the tables, or with the pictures."""

    scope: Literal["data", "media"]
    name: Annotated[str, Meta(pattern=_LICENCE, max_length=100)] | None = None
    path: Annotated[str, Meta(pattern=_PATH, max_length=1000)] | None = None
    title: Line | None = None

    def __post_init__(self) -> None:
        if self.name is None and self.path is None:
            raise ValueError("a license needs a name, such as CC-BY-4.0, or a path")


class Study(_Part, frozen=True):
    """[project] of the descriptor, without what the export itself decides."""

    title: Line | None = None
    id: Line | None = None
    acronym: Line | None = None
    description: Text | None = None
    path: Annotated[str, Meta(pattern=r"^https?://[^\s]+\Z", max_length=1000)] | None = None
    samplingDesign: Literal[  # noqa: N815 - the standard's name
        "simpleRandom", "systematicRandom", "clusteredRandom", "experimental", "targeted", "opportunistic"
    ] = "opportunistic"
    individualAnimals: bool = False  # noqa: N815


class Deployment(_Part, frozen=True):
    """[deployments.DEVICE]: columns of deployments.csv that no camera knows of itself."""

    locationID: Line | None = None  # noqa: N815
    locationName: Line | None = None  # noqa: N815
    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None = None
    coordinateUncertainty: Annotated[int, Meta(ge=1)] | None = None  # noqa: N815
    deploymentStart: DateTime | None = None  # noqa: N815
    deploymentEnd: DateTime | None = None  # noqa: N815
    setupBy: Line | None = None  # noqa: N815
    cameraID: Line | None = None  # noqa: N815
    cameraModel: Line | None = None  # noqa: N815
    cameraDelay: Annotated[int, Meta(ge=0)] | None = None  # noqa: N815
    cameraHeight: Metres | None = None  # noqa: N815
    cameraDepth: Metres | None = None  # noqa: N815
    cameraTilt: Annotated[int, Meta(ge=-90, le=90)] | None = None  # noqa: N815
    cameraHeading: Annotated[int, Meta(ge=0, le=360)] | None = None  # noqa: N815
    detectionDistance: Metres | None = None  # noqa: N815
    baitUse: bool | None = None  # noqa: N815
    featureType: (  # noqa: N815
        Literal["roadPaved", "roadDirt", "trailHiking", "trailGame", "roadUnderpass", "roadOverpass", "roadBridge"]
        | Literal["culvert", "burrow", "nestSite", "carcass", "waterSource", "fruitingTree"]
        | None
    ) = None
    habitat: Line | None = None
    deploymentGroups: Line | None = None  # noqa: N815
    deploymentTags: Line | None = None  # noqa: N815
    deploymentComments: Line | None = None  # noqa: N815

    def __post_init__(self) -> None:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude must be given together, or neither")
        if self.cameraHeight is not None and self.cameraDepth is not None:
            raise ValueError("cameraHeight and cameraDepth exclude each other")


class Project(_Part, frozen=True):
    """The whole file. filePublic: whether pictures without people in them may be shown to everybody."""

    title: Line | None = None
    description: Text | None = None
    version: Line | None = None
    keywords: tuple[Line, ...] = ()
    bibliographicCitation: Text | None = None  # noqa: N815
    contributors: tuple[Contributor, ...] = ()
    licenses: tuple[Licence, ...] = ()
    project: Study = Study()
    deployments: dict[str, Deployment] = {}
    filePublic: bool = False  # noqa: N815

    def __post_init__(self) -> None:
        scopes = {licence.scope for licence in self.licenses}
        if self.licenses and scopes != {"data", "media"}:
            raise ValueError("licenses must hold one of scope data and one of scope media, or none at all")


def read_project(path: Path) -> Project:
    """Read the file. Raises MissingInputError, ConfigError."""
    try:
        values: Any = msgspec.toml.decode(read_bounded(path, _MOST_BYTES, pipe=True))
        return msgspec.convert(values, Project)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise ConfigError(f"{path}: must be a TOML file of at most {_MOST_BYTES} bytes") from error
        raise MissingInputError(f"project {path}: cannot read: {error.strerror or error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}: docs/exporting.md lists all keys") from error
    except (ValueError, RecursionError) as error:  # also msgspec's and Unicode's
        raise ConfigError(f"{path}: not valid TOML: {error}") from error

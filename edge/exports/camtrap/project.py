"""Read what a package states about its project: a small TOML file, under the names that Camtrap DP has for it."""

import errno
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.config.faults import error_of, find_faults
from edge.config.sections import Section
from edge.config.toml import decode_toml
from edge.errors import ConfigError, MissingInputError
from edge.storage import read_bounded

_MOST_BYTES = 1 << 20
_DATE_TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})\Z"
_ADDRESS = r"^https?://[^\s]+\Z"
_EMAIL = r"^[^@\s]+@[^@\s]+\Z"
_LICENCE = r"^[-a-zA-Z0-9._]+\Z"
# A whole address, or a path that stays in the package.
_PATH = r"^[^./~](?!.*\.\.)[^\x00-\x1f]*\Z"
_TAG = r"^[^\x00-\x1f]+\Z"

Text = Annotated[str, Meta(min_length=1, max_length=10_000)]
LINE_WORDS = "a text of 1 to 1000 characters on one line, without control characters"
Line = Annotated[str, Meta(min_length=1, max_length=1000, pattern=_TAG, description=LINE_WORDS)]
DateTime = Annotated[
    str,
    Meta(pattern=_DATE_TIME, description="a time with its offset from UTC, such as 2026-10-30T10:00:00+01:00"),
]
Address = Annotated[
    str,
    Meta(pattern=_ADDRESS, max_length=1000, description="an address that begins with http:// or https://"),
]
Metres = Annotated[float, Meta(ge=0, le=100_000)]


class _Part(Section, frozen=True, omit_defaults=True, kw_only=True):
    """Base: an unknown key is an error, since a slip in it would lose what it holds."""


class Contributor(_Part, frozen=True):
    """Who took part. title: the name."""

    title: Line
    email: (
        Annotated[str, Meta(pattern=_EMAIL, max_length=320, description="an address such as name@example.org")] | None
    ) = None
    path: Address | None = None
    role: Literal["contact", "principalInvestigator", "rightsHolder", "publisher", "contributor"] = "contributor"
    organization: Line | None = None


class Licence(_Part, frozen=True):
    """What others may do. scope: with the tables, or with the pictures."""

    scope: Literal["data", "media"]
    name: (
        Annotated[
            str,
            Meta(pattern=_LICENCE, max_length=100, description="the name of an open license, such as CC-BY-4.0"),
        ]
        | None
    ) = None
    path: (
        Annotated[
            str,
            Meta(pattern=_PATH, max_length=1000, description="an address, or a path that stays inside the package"),
        ]
        | None
    ) = None
    title: Line | None = None

    def __post_init__(self) -> None:
        if self.name is None and self.path is None:
            raise ValueError("name must be given, such as CC-BY-4.0, or path")


class Study(_Part, frozen=True):
    """[project] of the descriptor, without what the export itself decides."""

    title: Line | None = None
    id: Line | None = None
    acronym: Line | None = None
    description: Text | None = None
    path: Address | None = None
    samplingDesign: Literal[  # noqa: N815 - the standard's name
        "simpleRandom", "systematicRandom", "clusteredRandom", "experimental", "targeted", "opportunistic"
    ] = "opportunistic"
    individualAnimals: bool = False  # noqa: N815


class Deployment(_Part, frozen=True):
    """[deployments.DEVICE]: columns of deployments.csv that no camera can report."""

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
            raise ValueError("longitude must be given together with latitude, or neither")
        if self.cameraHeight is not None and self.cameraDepth is not None:
            raise ValueError("cameraDepth must be left out if cameraHeight is given")
        for name in ("deploymentStart", "deploymentEnd"):
            if not _is_moment(getattr(self, name)):
                raise ValueError(f"{name} must be a time that there is, such as 2026-10-30T10:00:00+01:00")
        start, end = self.deploymentStart, self.deploymentEnd
        if start is not None and end is not None and wall_s_of(end) <= wall_s_of(start):
            raise ValueError(f"deploymentEnd must be after deploymentStart, which is {start}")


def wall_s_of(text: str) -> float:
    """Return a DateTime as seconds since 1970 UTC. Raises ValueError, OverflowError."""
    return datetime.fromisoformat(text).timestamp()


def _is_moment(text: str | None) -> bool:
    try:
        return text is None or wall_s_of(text) is not None
    except (ValueError, OverflowError):
        return False


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
    deployments: dict[str, Deployment] = msgspec.field(default_factory=dict)
    filePublic: bool = False  # noqa: N815

    def __post_init__(self) -> None:
        scopes = {licence.scope for licence in self.licenses}
        if self.licenses and scopes != {"data", "media"}:
            raise ValueError("licenses must be one of scope data and one of scope media, or left out")


def read_project(path: Path) -> Project:
    """Read the file. Raises MissingInputError, or ConfigError, which lists all faults."""
    try:
        data = read_bounded(path, _MOST_BYTES, pipe=True)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.EFBIG:
            raise ConfigError(f"{path}: must be a TOML file of at most {_MOST_BYTES} bytes") from error
        raise MissingInputError(f"project {path}: cannot read: {getattr(error, 'strerror', None) or error}") from error
    table = decode_toml(data, str(path))
    if faults := list(find_faults(Project, table)):
        raise error_of(faults, "keys", str(path))
    return msgspec.convert(table, Project)


def is_line(text: str) -> bool:
    """Return whether a word of the command line may stand for a title or a name: LINE_WORDS, and UTF-8."""
    try:
        text.encode()
        msgspec.convert(text, Line)
    except (UnicodeEncodeError, msgspec.ValidationError):
        return False
    return True

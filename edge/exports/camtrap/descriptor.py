"""Write datapackage.json: what the package is, who made it, where, when and of which taxa."""

import re
import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from edge import __version__
from edge.exports.camtrap.deployments import Deployed
from edge.exports.camtrap.project import Project
from edge.exports.camtrap.rows import SCORES
from edge.exports.times import to_second

if TYPE_CHECKING:
    from edge.events.taxonomy import Taxon

_PLACE = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2"
SCORES_NAME = "fieldfare-scores"


def describe(
    project: Project,
    deployments: Collection[Deployed],
    taxa: "Mapping[str, Taxon]",
    *,
    store: str,
    levels: tuple[str, ...],
    others: bool,
) -> dict[str, Any]:
    """Return the descriptor.

    taxa: by scientific name. store: the id of the store. levels: of the observations. others: whether there is a table
    of observations that the standard cannot hold.
    """
    now = to_second(time.time())
    title = project.title or f"Camera trap observations of {', '.join(sorted(_devices(deployments)))}"
    study = msgspec.to_builtins(project.project) | {
        "title": project.project.title or title,
        "samplingDesign": project.project.samplingDesign,
        "individualAnimals": project.project.individualAnimals,
        "captureMethod": ["activityDetection"],
        "observationLevel": list(levels),
    }
    optional = {
        "description": project.description,
        "version": project.version,
        "keywords": list(project.keywords),
        "bibliographicCitation": project.bibliographicCitation,
        "licenses": msgspec.to_builtins(project.licenses),
    }
    return {
        "profile": f"{_PLACE}/camtrap-dp-profile.json",
        "name": f"fieldfare-{re.sub(r'[^a-z0-9]', '', store.lower())[:16]}-{now[:10]}",
        "title": title,
        "created": now,
        "contributors": msgspec.to_builtins(project.contributors) or [{"title": "not named", "role": "contact"}],
        **{key: value for key, value in optional.items() if value},
        "sources": [{"title": f"Fieldfare {__version__}", "version": __version__}],
        "project": study,
        "spatial": _spatial(deployments),
        "temporal": {
            "start": min(one.start for one in deployments)[:10],
            "end": max(one.end for one in deployments)[:10],
        },
        "taxonomic": [_taxonomic(name, taxa[name]) for name in sorted(taxa)],
        "resources": _resources(others=others),
    }


def _devices(deployments: Collection[Deployed]) -> set[str]:
    return {str(one.values["cameraID"]) for one in deployments}


def _spatial(deployments: Collection[Deployed]) -> dict[str, Any]:
    east, north = [one.longitude for one in deployments], [one.latitude for one in deployments]
    west_end, east_end, south_end, north_end = min(east), max(east), min(north), max(north)
    if west_end == east_end and south_end == north_end:
        return {"type": "Point", "coordinates": [west_end, south_end]}
    corners = [(west_end, south_end), (east_end, south_end), (east_end, north_end), (west_end, north_end)]
    return {"type": "Polygon", "coordinates": [[list(corner) for corner in (*corners, corners[0])]]}


def _taxonomic(name: str, taxon: "Taxon") -> dict[str, Any]:
    found: dict[str, Any] = {"scientificName": name}
    if taxon.taxon_rank is not None:
        found["taxonRank"] = taxon.taxon_rank
    if taxon.common_names:
        found["vernacularNames"] = dict(taxon.common_names)
    return found


def _resources(*, others: bool) -> list[dict[str, Any]]:
    found = [
        _table(name, "tabular-data-resource", f"{_PLACE}/{name}-table-schema.json")
        for name in ("deployments", "media", "observations")
    ]
    found.append(_table(SCORES_NAME, "tabular-data-resource", _scores_schema()))
    if others:
        found.append(_table("other-observations", "data-resource", None))
    return found


def _table(name: str, profile: str, schema: Any) -> dict[str, Any]:
    described = {
        "name": name,
        "path": f"{name}.csv",
        "profile": profile,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
    }
    return described if schema is None else {**described, "schema": schema}


def _scores_schema() -> dict[str, Any]:
    fields: list[dict[str, Any]] = [{"name": name, "type": kind, "description": text} for name, kind, text in SCORES]
    fields[0]["constraints"] = {"required": True, "unique": True}
    return {
        "fields": fields,
        "missingValues": [""],
        "primaryKey": "observationID",
        "foreignKeys": [
            {"fields": "observationID", "reference": {"resource": "observations", "fields": "observationID"}}
        ],
    }

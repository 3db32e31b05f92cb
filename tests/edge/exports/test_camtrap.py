"""A Camtrap DP package: its tables by the standard's schemas, its descriptor by the standard's profile, offline."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import frictionless
import jsonschema
import msgspec
import pytest
from exporting import Run, stored, tag
from hypothesis import given, settings
from hypothesis import strategies as st
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from edge.errors import ConfigError, DataError, MissingInputError
from edge.exports.camtrap.project import Project, read_project
from edge.exports.taxa import no_taxa
from edge.store.records import Filter, Mark, StoredEvent
from tools.make_store import SPRING_S, made_events

TAXA = {
    "fox": tag("animal", "Vulpes vulpes", "species", eng="red fox", deu="Rotfuchs"),
    "badger": tag("animal", "Meles meles", "species"),
    "roe deer": tag("animal", "Capreolus", "genus"),
    "wild boar": tag("animal"),
    "person": tag("human", "Homo sapiens", "species"),
    "tractor": tag("object"),
}
# Of the Data Package profile, which Camtrap DP's refers to by its address: what it demands beyond types.
DATA_PACKAGE = {
    "type": "object",
    "required": ["resources"],
    "properties": {
        "name": {"pattern": "^([-a-z0-9._/])+$"},
        "created": {"format": "date-time"},
        "contributors": {"type": "array", "minItems": 1, "items": {"required": ["title"]}},
        "keywords": {"type": "array", "minItems": 1},
        "licenses": {"type": "array", "items": {"anyOf": [{"required": ["name"]}, {"required": ["path"]}]}},
        "sources": {"type": "array", "items": {"required": ["title"]}},
        "resources": {
            "items": {
                "required": ["name", "path"],
                "properties": {"name": {"pattern": "^([-a-z0-9._/])+$"}, "path": {"type": "string"}},
            }
        },
    },
}


@pytest.fixture(scope="session")
def standard(shared: Path) -> Path:
    """The folder of the schemas of Camtrap DP 1.0.2."""
    return shared / "standards" / "camtrap-dp-1.0.2"


@pytest.fixture
def season(tmp_path: Path) -> list[StoredEvent]:
    """Sixty events with pictures and boxes, among them marked ones."""
    events = stored(made_events(60, side=64, boxes=True), tmp_path)
    marks = [
        Mark(verdict="right", by="A. Observer", wall_s=SPRING_S),
        Mark(verdict="wrong", wall_s=SPRING_S),
        Mark(verdict="other", label="badger"),
    ]
    return [msgspec.structs.replace(e, mark=marks[n]) if n < len(marks) else e for n, e in enumerate(events)]


def rows(package: Path, table: str) -> list[dict[str, str]]:
    with (package / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def descriptor(package: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((package / "datapackage.json").read_bytes())
    return found


def faults_of_tables(package: Path, standard: Path) -> list[str]:
    """What frictionless finds in all tables of the package, foreign keys included."""
    described = descriptor(package)
    for resource in described["resources"]:
        if isinstance(schema := resource.get("schema"), str):
            assert schema.endswith(f"/1.0.2/{resource['name']}-table-schema.json")
            resource["schema"] = json.loads((standard / schema.rpartition("/")[2]).read_bytes())
    described.pop("profile")  # checked below
    report = frictionless.Package.from_descriptor(described, basepath=str(package)).validate()
    return [f"{error[0]}: {error[1]}" for error in report.flatten(["title", "note"])]


def faults_of_descriptor(package: Path, standard: Path) -> list[str]:
    """What jsonschema finds in datapackage.json, without the network."""
    profile = json.loads((standard / "camtrap-dp-profile.json").read_bytes())
    assets = Path(frictionless.__file__).parent / "assets" / "profiles"
    contents = {
        "https://specs.frictionlessdata.io/schemas/data-package.json": DATA_PACKAGE,
        "http://json.schemastore.org/geojson.json": json.loads((assets / "geojson.json").read_bytes()),
    }
    known = {url: Resource.from_contents(content, default_specification=DRAFT4) for url, content in contents.items()}
    registry: Registry[Any] = Registry().with_resources(known.items())
    validator = jsonschema.Draft4Validator(
        profile, registry=registry, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER
    )
    return [error.message for error in validator.iter_errors(descriptor(package))]


def check(package: Path, standard: Path) -> None:
    """Hold the package against the standard, and every path in it against what is there."""
    assert faults_of_tables(package, standard) == []
    assert faults_of_descriptor(package, standard) == []
    for row in rows(package, "media"):
        assert (package / row["filePath"]).read_bytes().startswith(b"\xff\xd8")


def test_a_package_with_its_media_is_valid(run_export: Run, season: list[StoredEvent], standard: Path) -> None:
    out, outcome, _ = run_export(season, "camtrap-dp", taxon_of=TAXA.get)
    check(out, standard)
    assert outcome.pictures == len(rows(out, "media")) + sum(
        len(row["pictures"].split("|")) for row in rows(out, "other-observations")
    )
    levels = [row["observationLevel"] for row in rows(out, "observations")]
    assert levels.count("media") == len(rows(out, "media"))
    assert levels.count("event") == len(season) - outcome.others == len(rows(out, "fieldfare-scores"))


def test_a_package_of_a_thousand_events_is_valid(run_export: Run, tmp_path: Path, standard: Path) -> None:
    events = stored(made_events(1000, side=160, boxes=True), tmp_path)
    out, outcome, _ = run_export(events, "camtrap-dp", taxon_of=TAXA.get)
    check(out, standard)
    assert outcome.events == 1000


def test_the_check_itself_finds_what_is_wrong(run_export: Run, season: list[StoredEvent], standard: Path) -> None:
    out, _, _ = run_export(season, "camtrap-dp", taxon_of=TAXA.get)
    table = (out / "observations.csv").read_text().replace(",machine,", ",guessed,").replace(",barn-2026-05-01,", ",x,")
    (out / "observations.csv").write_text(table)
    (out / "datapackage.json").write_text((out / "datapackage.json").read_text().replace("opportunistic", "at will"))
    assert {"Constraint Error", "ForeignKey Error"} <= {
        fault.partition(":")[0] for fault in faults_of_tables(out, standard)
    }
    assert len(faults_of_descriptor(out, standard)) == 1


def test_people_and_models_are_told_apart(run_export: Run, season: list[StoredEvent]) -> None:
    out, _, _ = run_export(season[:4], "camtrap-dp", taxon_of=TAXA.get)
    found = [row for row in rows(out, "observations") if row["observationLevel"] == "event"]
    right, wrong, other, machine = found
    assert (right["classificationMethod"], right["classifiedBy"]) == ("human", "A. Observer")
    assert (wrong["observationType"], wrong["observationTags"]) == ("unknown", f"not:{season[1].event.label}")
    assert (other["scientificName"], other["classificationProbability"]) == ("Meles meles", "")
    assert machine["classificationMethod"] == "machine"
    assert "model bundle 0123456789ab, cpu litert" in machine["classifiedBy"]
    assert float(machine["classificationProbability"]) == pytest.approx(season[3].event.peak, abs=1e-4)


def test_frames_of_a_burst_were_not_classified(run_export: Run, season: list[StoredEvent]) -> None:
    (burst, *_) = [one for one in season if len(one.pictures) == 4 and one.label != "tractor"]
    out, _, _ = run_export([burst], "camtrap-dp", taxon_of=TAXA.get)
    kinds = {row["mediaID"][-4:]: row for row in rows(out, "observations") if row["mediaID"]}
    assert kinds["fore"]["observationType"] == kinds["fter"]["observationType"] == "unclassified"
    assert kinds["best"]["observationType"] == kinds["crop"]["observationType"] != "unclassified"
    assert kinds["best"]["bboxX"]
    assert not kinds["crop"]["bboxX"]  # it is in shares of the whole frame


@pytest.mark.parametrize(
    ("label", "kind", "name"),
    [
        ("fox", "animal", "Vulpes vulpes"),
        ("wild boar", "animal", ""),
        ("person", "human", "Homo sapiens"),
        ("unknown", "unknown", ""),
        ("heron", "unknown", ""),
    ],
)
def test_labels_become_observations(
    run_export: Run, season: list[StoredEvent], label: str, kind: str, name: str
) -> None:
    event = msgspec.structs.replace(season[5], event=msgspec.structs.replace(season[5].event, label=label))
    out, outcome, _ = run_export([event], "camtrap-dp", taxon_of=TAXA.get)
    (row, *_) = rows(out, "observations")
    assert (row["observationType"], row["scientificName"]) == (kind, name)
    assert row["observationTags"] == ("" if label == "unknown" else f"label:{label}")
    assert outcome.unnamed == (("heron",) if label == "heron" else ())


def test_what_the_standard_cannot_hold_is_counted_and_goes_to_a_table_beside(
    run_export: Run, season: list[StoredEvent], standard: Path
) -> None:
    objects = sum(one.label == "tractor" for one in season)
    out, outcome, _ = run_export(season, "camtrap-dp", taxon_of=TAXA.get)
    assert outcome.others == objects == len(rows(out, "other-observations")) > 0
    for row in rows(out, "other-observations"):
        assert (out / row["pictures"].partition("|")[0]).is_file()
    out, outcome, _ = run_export(season, "camtrap-dp", taxon_of=no_taxa)
    assert outcome.others == 0
    assert not (out / "other-observations.csv").exists()
    check(out, standard)


def test_the_taxa_are_those_that_were_seen(run_export: Run, season: list[StoredEvent]) -> None:
    foxes = [one for one in season if one.label == "fox" and one.mark is None]
    out, _, _ = run_export(foxes, "camtrap-dp", taxon_of=TAXA.get)
    assert descriptor(out)["taxonomic"] == [
        {
            "scientificName": "Vulpes vulpes",
            "taxonRank": "species",
            "vernacularNames": {"eng": "red fox", "deu": "Rotfuchs"},
        }
    ]


def test_a_device_that_was_moved_has_two_deployments(
    run_export: Run, season: list[StoredEvent], standard: Path
) -> None:
    moved = [
        msgspec.structs.replace(one, event=msgspec.structs.replace(one.event, latitude=53.0)) for one in season[30:]
    ]
    out, _, _ = run_export([*season[:30], *moved], "camtrap-dp", taxon_of=TAXA.get)
    check(out, standard)
    first, second = rows(out, "deployments")
    assert (first["latitude"], second["latitude"]) == ("52.7044", "53.0")
    assert first["deploymentID"] != second["deploymentID"]
    assert descriptor(out)["spatial"]["type"] == "Polygon"


def at(events: list[StoredEvent], latitude: float | None) -> list[StoredEvent]:
    longitude = None if latitude is None else 23.0
    return [
        msgspec.structs.replace(one, event=msgspec.structs.replace(one.event, latitude=latitude, longitude=longitude))
        for one in events
    ]


def project_of(folder: Path, text: str) -> Project:
    (folder / "project.toml").write_text(text)
    return read_project(folder / "project.toml")


def test_a_moved_device_was_set_up_at_its_first_place_and_taken_down_at_its_last(
    run_export: Run, season: list[StoredEvent], standard: Path, tmp_path: Path
) -> None:
    times = 'deploymentStart = "2026-04-30T10:00:00Z"\ndeploymentEnd = "2030-01-01T00:00:00Z"'
    project = project_of(tmp_path, f"[deployments.barn]\n{times}")
    out, _, _ = run_export([*season[:30], *at(season[30:], 53.0)], "camtrap-dp", project=project, media=False)
    check(out, standard)
    first, second = rows(out, "deployments")
    assert first["deploymentStart"] == "2026-04-30T10:00:00Z"
    assert second["deploymentEnd"] == "2030-01-01T00:00:00Z"
    assert first["deploymentEnd"] <= second["deploymentStart"]


def test_a_device_that_came_back_has_a_deployment_for_each_stay(
    run_export: Run, season: list[StoredEvent], standard: Path
) -> None:
    events = [*season[:20], *at(season[20:40], 53.0), *season[40:]]
    out, _, _ = run_export(events, "camtrap-dp", taxon_of=TAXA.get)
    check(out, standard)
    first, away, back = deployments = rows(out, "deployments")
    assert [one["latitude"] for one in deployments] == ["52.7044", "53.0", "52.7044"]
    assert first["deploymentEnd"] <= away["deploymentStart"] < away["deploymentEnd"] <= back["deploymentStart"]
    assert len({one["deploymentID"] for one in deployments}) == 3
    spans = {one["deploymentID"]: (one["deploymentStart"], one["deploymentEnd"]) for one in deployments}
    for row in [*rows(out, "media"), *rows(out, "observations")]:
        begin, end = spans[row["deploymentID"]]
        assert begin <= (row.get("timestamp") or row["eventStart"]) <= end


def test_stays_follow_the_order_of_events_and_not_a_clock_that_is_wrong(
    run_export: Run, season: list[StoredEvent], standard: Path
) -> None:
    # The second boot began without a clock, at a time before the end of the first.
    back_s = season[40].begin_wall_s - season[20].begin_wall_s
    away = [
        msgspec.structs.replace(
            one, begin_wall_s=one.begin_wall_s - back_s, end_wall_s=one.end_wall_s - back_s, clock="none", pictures=()
        )
        for one in at(season[40:], 53.0)
    ]
    out, _, _ = run_export([*season[:40], *away], "camtrap-dp", taxon_of=TAXA.get)
    check(out, standard)
    assert [one["latitude"] for one in rows(out, "deployments")] == ["52.7044", "53.0"]


def test_a_stay_ends_with_a_move_of_which_nothing_is_exported(run_export: Run, season: list[StoredEvent]) -> None:
    foxes = [one for one in season if one.label == "fox"]
    away = [one for one in at(season, 53.0) if one.label != "fox"]
    between = [one for one in away if foxes[4].number < one.number < foxes[5].number]
    events = [*foxes[:5], *(between or away[:1]), *foxes[5:]]
    numbered = [msgspec.structs.replace(one, number=number) for number, one in enumerate(events, start=1)]
    out, _, _ = run_export(numbered, "camtrap-dp", wanted=Filter(labels=("fox",)), media=False)
    assert [one["latitude"] for one in rows(out, "deployments")] == ["52.7044", "52.7044"]


def test_a_position_of_the_file_stands_in_for_one_that_a_device_got_later(
    run_export: Run, season: list[StoredEvent], tmp_path: Path
) -> None:
    project = project_of(tmp_path, "[deployments.barn]\nlatitude = 1.5\nlongitude = 2.5")
    events = [*at(season[:30], None), *at(season[30:], 53.0)]
    out, _, _ = run_export(events, "camtrap-dp", project=project, media=False)
    assert [row["latitude"] for row in rows(out, "deployments")] == ["1.5", "53.0"]


@pytest.mark.parametrize(
    ("moved", "text", "words"),
    [
        (True, "latitude = 1\nlongitude = 2", "latitude = 1: the device stood at 2 places"),
        (True, "locationID = 'wood'", "locationID = 'wood': the device stood at 2 places"),
        (False, 'deploymentStart = "2026-05-10T00:00:00Z"', "must not be after the first event of the export (2026-05"),
        (True, 'deploymentStart = "2026-05-10T00:00:00Z"', "must not be after the first event of the export (2026-05"),
        (False, 'deploymentEnd = "2020-01-01T00:00:00Z"', "must not be before the last event of the export (2026-"),
    ],
)
def test_a_file_that_contradicts_the_events_is_refused_before_anything_is_copied(
    run_export: Run, season: list[StoredEvent], tmp_path: Path, moved: bool, text: str, words: str
) -> None:
    project = project_of(tmp_path, f"[deployments.barn]\n{text}")
    events = [*season[:30], *at(season[30:], 53.0)] if moved else season
    with pytest.raises(DataError, match=re.escape(words)) as caught:
        run_export(events, "camtrap-dp", project=project, out=tmp_path / "out")
    assert str(caught.value).startswith("[deployments.barn] ")
    assert not (tmp_path / "out").exists()


def test_a_file_has_the_times_of_a_device_without_a_clock(
    run_export: Run, season: list[StoredEvent], standard: Path, tmp_path: Path
) -> None:
    lost = [
        msgspec.structs.replace(one, begin_wall_s=50.0, end_wall_s=90.0, clock="none", pictures=()) for one in season
    ]
    start = 'deploymentStart = "2026-05-10T00:00:00Z"'
    project = project_of(tmp_path, f"[deployments.barn]\n{start}")
    with pytest.raises(DataError, match="by a clock that was not set: give deploymentEnd, too"):
        run_export(lost, "camtrap-dp", project=project, out=tmp_path / "out")
    project = project_of(tmp_path, f'[deployments.barn]\n{start}\ndeploymentEnd = "2026-06-10T00:00:00Z"')
    out, _, _ = run_export(lost, "camtrap-dp", project=project)
    check(out, standard)
    assert rows(out, "deployments")[0]["timestampIssues"] == "true"


def test_times_without_a_clock_are_marked_and_do_not_stretch_the_deployment(
    run_export: Run, season: list[StoredEvent], standard: Path
) -> None:
    lost = msgspec.structs.replace(season[0], begin_wall_s=5.0, end_wall_s=9.0, clock="none", pictures=())
    out, _, _ = run_export([lost, *season[1:]], "camtrap-dp", taxon_of=TAXA.get)
    check(out, standard)
    (deployment,) = rows(out, "deployments")
    assert deployment["timestampIssues"] == "true"
    assert deployment["deploymentStart"].startswith("2026-05-01")


def test_without_media_there_are_events_only(run_export: Run, season: list[StoredEvent], standard: Path) -> None:
    out, outcome, _ = run_export(season, "camtrap-dp", taxon_of=TAXA.get, media=False)
    check(out, standard)
    assert rows(out, "media") == []
    assert (outcome.pictures, descriptor(out)["project"]["observationLevel"]) == (0, ["event"])
    assert not (out / "media").exists()


def test_a_device_without_a_position_needs_one(run_export: Run, season: list[StoredEvent], standard: Path) -> None:
    nowhere = [
        msgspec.structs.replace(one, event=msgspec.structs.replace(one.event, latitude=None, longitude=None))
        for one in season
    ]
    with pytest.raises(DataError, match="device barn has no position"):
        run_export(nowhere, "camtrap-dp")
    out, _, _ = run_export(nowhere, "camtrap-dp", position=(1.5, 2.5))
    check(out, standard)
    assert rows(out, "deployments")[0]["longitude"] == "2.5"


PROJECT = """
title = "Foxes of the east wood"
keywords = ["fox"]
filePublic = true
[[contributors]]
title = "A. Observer"
role = "principalInvestigator"
[[licenses]]
scope = "data"
name = "CC0-1.0"
[[licenses]]
scope = "media"
path = "http://creativecommons.org/licenses/by/4.0/"
[project]
samplingDesign = "targeted"
[deployments.barn]
locationName = "Barn"
cameraHeight = 1.2
baitUse = false
featureType = "trailGame"
deploymentStart = "2026-04-30T10:00:00+02:00"
"""


def test_a_project_file_fills_in_what_no_camera_knows(
    run_export: Run, season: list[StoredEvent], standard: Path, tmp_path: Path
) -> None:
    (tmp_path / "project.toml").write_text(PROJECT)
    project = read_project(tmp_path / "project.toml")
    out, _, _ = run_export(season, "camtrap-dp", taxon_of=TAXA.get, project=project)
    check(out, standard)
    told = descriptor(out)
    assert (told["title"], told["contributors"][0]["title"]) == ("Foxes of the east wood", "A. Observer")
    assert told["project"]["samplingDesign"] == "targeted"
    (deployment,) = rows(out, "deployments")
    assert (deployment["cameraHeight"], deployment["baitUse"], deployment["locationName"]) == ("1.2", "false", "Barn")
    assert deployment["deploymentStart"] == "2026-04-30T10:00:00+02:00"
    public = {row["mediaID"]: row["filePublic"] for row in rows(out, "media")}
    seen = {row["mediaID"]: row["observationType"] for row in rows(out, "observations") if "-best" in row["mediaID"]}
    assert {public[picture] for picture, kind in seen.items() if kind == "animal"} == {"true"}
    assert {public[picture] for picture, kind in seen.items() if kind in ("human", "unknown")} == {"false"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("titel = 'x'", "unknown key 'titel': did you mean 'title'?"),
        ("title = ''", "title = '': must be a text of 1 to 1000 characters on one line"),
        ('title = "a\\nb"', r"title = 'a\nb': must be a text of 1 to 1000 characters on one line"),
        ("description = 5", "description = 5: must be a text of 1 to 10000 characters"),
        ("keywords = 'fox'", "keywords = 'fox': must be a list, each a text of 1 to 1000 characters"),
        ("filePublic = 'no'", "filePublic = 'no': must be true or false"),
        ("deployments = 5", "deployments = 5: must be a table of keys"),
        ("[project]\nsamplingDesign = 'at will'", "project.samplingDesign = 'at will': must be clusteredRandom, exper"),
        ("[project]\npath = 'ftp://x'", "project.path = 'ftp://x': must be an address that begins with http"),
        ("[[licenses]]\nscope = 'data'\nname = 'CC0-1.0'", "must be one of scope data and one of scope media"),
        ("[[licenses]]\nscope = 'data'", "licenses, number 1, name: must be given, such as CC-BY-4.0, or path"),
        ("[[licenses]]\nscope = 'data'\nname = 'a b'", "name = 'a b': must be the name of an open license, such as"),
        ("[[licenses]]\nscope = 'data'\npath = '../x'", "path = '../x': must be an address, or a path that stays"),
        ("[deployments.barn]\nlatitude = 91\nlongitude = 1", "barn.latitude = 91: must be a number from -90 to 90"),
        ("[deployments.barn]\nlatitude = 9", "deployments.barn.longitude: must be given together with latitude"),
        ("[deployments.barn]\ncameraHeight = 1\ncameraDepth = 2", "cameraDepth = 2: must be left out if cameraHeight"),
        (
            "[deployments.barn]\ndeploymentStart = 2026-10-30T10:00:00+01:00",
            "deploymentStart = 2026-10-30T10:00:00+01:00: must be a time with its offset from UTC, such as "
            "2026-10-30T10:00:00+01:00, in quotes",
        ),
        (
            "[deployments.barn]\ndeploymentStart = '2026-05-01T00:00:00Z'\ndeploymentEnd = '2020-05-01T00:00:00Z'",
            "deploymentEnd = '2020-05-01T00:00:00Z': must be after deploymentStart, which is 2026-05-01T00:00:00Z",
        ),
        (
            "[deployments.barn]\ndeploymentEnd = '2026-02-30T00:00:00Z'",
            "deploymentEnd = '2026-02-30T00:00:00Z': must be a time that there is, such as",
        ),
        ("[[contributors]]\nemail = 'x@example.org'", "contributors, number 1: key 'title' is missing"),
        ("[[contributors]]\ntitle = 'x'\nemail = 'x'", "email = 'x': must be an address such as name@example.org"),
        ("contributors = ['x']", "contributors, number 1 = 'x': must be a table of keys"),
        ("title = ", "not valid TOML"),
        ("title = Foxes", "(at line 1, column 9): put texts and times in quotes"),
        ("\0", "not valid TOML"),
    ],
)
def test_a_wrong_project_file_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "project.toml").write_text(text)
    with pytest.raises(ConfigError, match=re.escape(words)) as caught:
        read_project(tmp_path / "project.toml")
    assert caught.value.heading.startswith(f"{tmp_path / 'project.toml'}: ")
    assert caught.value.faults == ()


def test_all_faults_of_a_project_file_are_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "project.toml").write_text("titel = 'x'\n[deployments.barn]\nbaitUse = 5\ncameraTilt = 1.5")
    with pytest.raises(ConfigError, match=r"project\.toml: 3 keys are wrong:") as caught:
        read_project(tmp_path / "project.toml")
    assert caught.value.faults == (
        "unknown key 'titel': did you mean 'title'?",
        "deployments.barn.baitUse = 5: must be true or false",
        "deployments.barn.cameraTilt = 1.5: must be a whole number from -90 to 90",
    )


def test_a_project_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="cannot read"):
        read_project(tmp_path / "project.toml")


def test_a_slip_in_the_name_of_a_device_is_found(run_export: Run, season: list[StoredEvent], tmp_path: Path) -> None:
    (tmp_path / "project.toml").write_text("[deployments.bran]\nlocationName = 'Barn'")
    with pytest.raises(DataError, match="no event is of this device: the export holds barn"):
        run_export(season, "camtrap-dp", project=read_project(tmp_path / "project.toml"))


@settings(max_examples=3)
@given(st.lists(st.text(max_size=60), min_size=30, max_size=40))
def test_labels_of_any_text_give_valid_tables(run_export: Run, standard: Path, labels: list[str]) -> None:
    events = [
        msgspec.structs.replace(one, event=msgspec.structs.replace(one.event, label=label))
        for one, label in zip(stored(made_events(40), Path()), labels, strict=False)
    ]
    check(run_export(events, "camtrap-dp")[0], standard)
    names = {label: tag("animal", label, "species") for label in labels}
    check(run_export(events, "camtrap-dp", taxon_of=names.get)[0], standard)

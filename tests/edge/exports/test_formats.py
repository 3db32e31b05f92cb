"""Tables, class folders and boxes, each read as its readers do."""

import csv
import json
import sys
from pathlib import Path

import msgspec
import pyarrow.parquet
import pytest
from exporting import FakeStore, Run, stored, tag
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DataError, MissingPackageError
from edge.events.records import Sample
from edge.exports.columns import COLUMNS, as_cells, as_json, flatten
from edge.exports.copying.record import Format
from edge.exports.taxa import no_taxa
from edge.results import Candidate
from edge.store.records import Filter, Mark, StoredEvent, StoredSample
from tools.make_store import SPRING_S, made_events
from trainer.dataset.listing import list_photos


@pytest.fixture
def season(tmp_path: Path) -> list[StoredEvent]:
    """Forty events with pictures; the first ten are marked right."""
    events = stored(made_events(40, side=48), tmp_path)
    right = Mark(verdict="right", by="A. Observer", wall_s=SPRING_S)
    return [msgspec.structs.replace(one, mark=right) if n < 10 else one for n, one in enumerate(events)]


def table_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_all_tables_hold_the_same(run_export: Run, season: list[StoredEvent]) -> None:
    as_table = table_of(run_export(season, "csv")[0] / "events.csv")
    lines = [json.loads(line) for line in (run_export(season, "jsonl")[0] / "events.jsonl").read_text().splitlines()]
    rows = pyarrow.parquet.read_table(run_export(season, "parquet")[0] / "events.parquet").to_pylist()
    assert len(as_table) == len(lines) == len(rows) == len(season)
    for cells, line, row, event in zip(as_table, lines, rows, season, strict=True):
        assert list(cells) == list(line) == list(row) == list(COLUMNS)
        assert cells["label"] == line["label"] == row["label"] == event.label
        assert cells["begin"] == line["begin"] == f"{row['begin']:%Y-%m-%dT%H:%M:%S}.{row['begin']:%f}"[:-3] + "Z"
        assert float(cells["score"]) == line["score"] == row["score"] == round(event.event.peak, 4)
        assert cells["pictures"].split("|") == line["pictures"] == row["pictures"]
        assert len(row["pictures"]) == len(event.pictures)


def test_pictures_sort_by_their_time(run_export: Run, season: list[StoredEvent]) -> None:
    out, _, _ = run_export(season, "jsonl")
    for line in (out / "events.jsonl").read_text().splitlines():
        names = json.loads(line)["pictures"]
        assert names == sorted(names)
        assert all((out / name).is_file() for name in names)


def test_without_pyarrow_parquet_is_one_line_and_nothing_is_written(
    run_export: Run, season: list[StoredEvent], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match="--format parquet needs pyarrow"):
        run_export(season, "parquet", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@given(st.text(max_size=40))
def test_any_label_is_one_row(label: str) -> None:
    (event,) = stored(made_events(1), Path())
    event = msgspec.structs.replace(event, event=msgspec.structs.replace(event.event, label=label))
    row = flatten(event, no_taxa)
    assert len(as_cells(row)) == len(COLUMNS)
    assert all("\n" not in cell and "\r" not in cell for cell in as_cells(row))
    assert msgspec.json.decode(msgspec.json.encode(as_json(row)))["label"] == label


def sample(number: int, label: str, folder: Path) -> StoredSample:
    (event,) = stored(made_events(1, seed=number, side=40), folder)
    (picture, *_) = event.pictures
    return StoredSample(
        number=number,
        sample=Sample(
            captured_mono_s=5.0,
            label=label,
            score=0.4,
            top=(Candidate(label, 0.4),),
            reasons=("uncertain", "random"),
            width=40,
            height=30,
        ),
        device="barn",
        boot=event.event.boot,
        engine="cpu litert",
        bundle="0123456789ab",
        captured_wall_s=SPRING_S,
        clock="ntp",
        path=picture.path,
        size=picture.size,
        sha256=picture.sha256,
    )


def test_class_folders_hold_what_people_confirmed_and_the_trainer_takes_them(run_export: Run, tmp_path: Path) -> None:
    marks = [Mark(verdict="right"), Mark(verdict="other", label="Badger"), Mark(verdict="wrong"), None]
    events = [
        msgspec.structs.replace(one, event=msgspec.structs.replace(one.event, label="fox"), mark=marks[n % 4])
        for n, one in enumerate(stored(made_events(40, side=48), tmp_path))
    ]
    out, outcome, _ = run_export(FakeStore(events, [sample(7, "roe deer", tmp_path)]), "folders")
    found = list_photos(out / "classes")
    assert found.classes == ("Badger", "fox")
    assert len(found.photos) == 20
    assert len(list((out / "unsure" / "fox").rglob("*.jpg"))) == 10
    assert [path.name for path in (out / "harvest" / "roe deer").rglob("*.jpg")] == ["barn-00000000-h7.jpg"]
    assert (outcome.events, outcome.samples, outcome.unchecked) == (30, 1, 10)
    rows = {row["file"]: row for row in table_of(out / "pictures.csv")}
    assert all((out / name).is_file() for name in rows)
    assert len(rows) == 31
    labels = {name.split("/")[0]: row["label"] for name, row in rows.items()}
    assert labels["unsure"] == labels["harvest"] == ""


def test_what_was_marked_as_unknown_is_no_class(run_export: Run, season: list[StoredEvent]) -> None:
    unknown = [
        msgspec.structs.replace(one, mark=Mark(verdict="other", label="Unknown")) for one in season if one.mark is None
    ]
    out, _, _ = run_export(unknown, "folders")
    assert not (out / "classes").exists()
    assert (out / "unsure").is_dir()


def test_without_marks_and_harvest_there_are_no_folders(run_export: Run, season: list[StoredEvent]) -> None:
    with pytest.raises(DataError, match="no event is marked"):
        run_export([one for one in season if one.mark is None], "folders")


def test_boxes_are_what_tools_for_megadetector_read(run_export: Run, tmp_path: Path) -> None:
    events = stored(made_events(20, side=48, boxes=True), tmp_path)
    animals = {one.label: tag("animal") for one in events}
    out, outcome, _ = run_export(events, "megadetector", taxon_of=animals.get)
    told = json.loads((out / "megadetector.json").read_bytes())
    assert float(told["info"]["format_version"]) >= 1.3
    assert len(told["images"]) == outcome.events == 20
    for image, event in zip(told["images"], events, strict=True):
        assert (out / image["file"]).is_file()
        (found,) = image["detections"]
        assert tuple(found["bbox"]) == event.event.box
        assert told["detection_categories"][found["category"]] == "animal"
        assert told["classification_categories"][found["classifications"][0][0]] == event.label


BOXED = {
    "fox": tag("animal"),
    "person": tag("human"),
    "tractor": tag("vehicle"),
    "nothing": tag("blank"),
    "fern": tag("plant"),
}
RIGHT, WRONG = Mark(verdict="right"), Mark(verdict="wrong")


@pytest.mark.parametrize(
    ("label", "mark", "category", "conf", "name"),
    [
        ("fox", None, "animal", 0.99, "fox"),
        ("person", None, "person", 0.99, "person"),
        ("tractor", None, "vehicle", 0.99, "tractor"),
        ("unknown", None, "unknown", 0.99, None),
        ("heron", None, "unknown", 0.99, "heron"),
        ("fox", RIGHT, "animal", 1.0, "fox"),
        ("fox", Mark(verdict="other", label="person"), "person", 1.0, "person"),
        ("fox", Mark(verdict="other", label="heron"), "unknown", 1.0, "heron"),
        ("fox", Mark(verdict="other", label="unknown"), "unknown", 1.0, None),
        ("fox", WRONG, "unknown", 1.0, None),
    ],
)
def test_a_box_has_the_category_that_its_event_stands_for(
    run_export: Run, tmp_path: Path, label: str, mark: Mark | None, category: str, conf: float, name: str | None
) -> None:
    out, outcome, _ = run_export([boxed(tmp_path, label, mark)], "megadetector", taxon_of=BOXED.get)
    told = json.loads((out / "megadetector.json").read_bytes())
    (found,) = told["images"][0]["detections"]
    assert (told["detection_categories"][found["category"]], found["conf"]) == (category, conf)
    named = [(told["classification_categories"][number], sure) for number, sure in found.get("classifications", [])]
    assert named == ([] if name is None else [(name, conf)])
    assert outcome.unnamed == (("heron",) if name == "heron" else ())
    assert ("4" in told["detection_categories"]) == (category == "unknown")


@pytest.mark.parametrize(("label", "mark"), [("nothing", None), ("fox", Mark(verdict="other", label="nothing"))])
def test_nothing_and_plants_have_no_detection_which_is_counted(
    run_export: Run, tmp_path: Path, label: str, mark: Mark | None
) -> None:
    events = [boxed(tmp_path, label, mark), boxed(tmp_path, "fern", None, number=2)]
    out, outcome, _ = run_export(events, "megadetector", taxon_of=BOXED.get)
    images = json.loads((out / "megadetector.json").read_bytes())["images"]
    assert [image["detections"] for image in images] == [[], []]
    assert all((out / image["file"]).is_file() for image in images)
    assert (outcome.events, outcome.blanks, outcome.others) == (2, 1, 1)


def boxed(folder: Path, label: str, mark: Mark | None, *, number: int = 1) -> StoredEvent:
    one = stored(made_events(number, side=48, boxes=True), folder)[-1]
    return msgspec.structs.replace(one, event=msgspec.structs.replace(one.event, label=label, peak=0.99), mark=mark)


def test_events_without_boxes_are_one_line(run_export: Run, season: list[StoredEvent]) -> None:
    with pytest.raises(DataError, match="no event has a box"):
        run_export(season, "megadetector")


def test_boxes_without_pictures_are_still_json(run_export: Run, tmp_path: Path) -> None:
    out, outcome, _ = run_export(stored(made_events(2, boxes=True), tmp_path), "megadetector")
    assert json.loads((out / "megadetector.json").read_bytes())["images"] == []
    assert outcome.events == 0


FORMATS: tuple[Format, ...] = ("camtrap-dp", "csv", "jsonl", "parquet")


@pytest.mark.parametrize("form", FORMATS)
def test_what_was_exported_is_noted_once_it_is_there(run_export: Run, season: list[StoredEvent], form: Format) -> None:
    store = FakeStore(season)
    run_export(store, form)
    assert all(one.exported for one in store.held)
    out, outcome, _ = run_export(store, form, since_last=True)
    assert outcome.events == 0
    assert not out.exists()


def test_each_format_has_its_own_last_export(run_export: Run, season: list[StoredEvent]) -> None:
    """Else a table for a friend would keep events out of next month's package."""
    store = FakeStore(season)
    assert run_export(store, "csv", since_last=True)[1].events == len(season)
    assert run_export(store, "camtrap-dp", since_last=True)[1].events == len(season)
    assert run_export(store, "csv", since_last=True)[1].events == 0


def test_an_event_that_is_marked_later_still_comes_into_class_folders(
    run_export: Run, season: list[StoredEvent]
) -> None:
    store = FakeStore(season)
    run_export(store, "folders", since_last=True)
    out, outcome, _ = run_export(store, "folders", since_last=True)
    assert (outcome.events, out.exists()) == (0, False), "nothing new"
    late = next(one for one in season if one.mark is None)
    marked = msgspec.structs.replace(late, mark=Mark(verdict="right"))
    store.held = [marked if one.number == late.number else one for one in store.held]
    _, outcome, store = run_export(store, "folders", since_last=True)
    assert outcome.events == 1


def test_a_filter_leaves_the_others_for_a_later_export(run_export: Run, season: list[StoredEvent]) -> None:
    store = FakeStore(season)
    some = Filter(labels=(season[0].label,))
    first = run_export(store, "csv", since_last=True, wanted=some)[1].events
    second = run_export(store, "csv", since_last=True)[1].events
    assert 0 < first < len(season)
    assert first + second == len(season)


def test_a_look_at_the_tables_is_not_noted_unless_that_is_meant(run_export: Run, season: list[StoredEvent]) -> None:
    store = FakeStore(season)
    run_export(store, "csv", media=False)
    assert not store.orders
    run_export(store, "csv", media=False, since_last=True)
    assert all(one.exported for one in store.held)


def test_class_folders_note_only_what_went_into_them(run_export: Run, season: list[StoredEvent]) -> None:
    store = FakeStore(season)
    run_export(store, "folders", since_last=True)
    assert [one.exported for one in store.held] == [one.mark is not None for one in season]


def test_nothing_to_export_is_one_line(run_export: Run, season: list[StoredEvent]) -> None:
    with pytest.raises(DataError, match="no event matches"):
        run_export(season, "csv", wanted=Filter(labels=("yeti",)))

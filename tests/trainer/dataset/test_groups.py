"""Which photos belong together: visits by folder, name or table, joined with near-duplicates."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ConfigError, DatasetError, MissingInputError
from trainer.dataset import groups
from trainer.dataset.components import linked, numbered
from trainer.dataset.groups import join_groups, parse_group_by, visit_groups
from trainer.dataset.listing import SPLITS, Listing, Photo
from trainer.dataset.splitting import assign_splits

ROOT = Path("photos")


def listing_of(*files: str) -> Listing:
    """Photos of the classes that their first folder names."""
    classes = tuple(sorted({file.split("/")[0] for file in files}))
    photos = tuple(Photo(ROOT / file, classes.index(file.split("/")[0]), None) for file in files)
    return Listing(ROOT, classes, photos)


def visits(text: str, *files: str) -> tuple[list[int], int, int]:
    found = visit_groups(listing_of(*files), parse_group_by(text))
    return found.groups.tolist(), found.count, found.unmatched


def write_table(folder: Path, text: str, encoding: str = "utf-8") -> str:
    path = folder / "visits.csv"
    path.write_bytes(text.encode(encoding))
    return f"csv:{path}:visit"


# What the user writes


@pytest.mark.parametrize(
    "text",
    ["", "folders", "folder:", "Folder", "name", "name:", "csv", "csv:", "csv:table.csv", "csv::visit", "csv:a:"],
)
def test_anything_but_the_three_forms_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(ConfigError, match=r"must be 'folder', 'name:REGEX' or 'csv:FILE:COLUMN'"):
        parse_group_by(text)


@pytest.mark.parametrize("pattern", ["(", "[a-", "*", "(?P<x", "a{99999999999999999999}"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="not a regular expression"):
        parse_group_by(f"name:{pattern}")


def test_a_pattern_may_hold_colons_and_a_tables_path_too() -> None:
    assert parse_group_by("name:^a:b").pattern.pattern == "^a:b"
    parsed = parse_group_by("csv:C:/visits:old.csv:visit")
    assert (parsed.table, parsed.column) == (Path("C:/visits:old.csv"), "visit")


@given(st.text(max_size=40))
def test_no_text_whatever_breaks_the_parser(text: str) -> None:
    for prefix in ("", "name:", "csv:"):
        try:
            assert parse_group_by(prefix + text).text == prefix + text
        except ConfigError as error:
            assert "--group-by" in str(error)


# Folders


def test_a_visit_is_a_sub_folder_of_the_class_folder_whatever_the_class() -> None:
    files = ("owl/may/1.jpg", "owl/may/2.jpg", "owl/june/1.jpg", "wren/may/9.jpg")
    assert visits("folder", *files) == ([0, 0, 2, 0], 2, 0)


def test_deeper_folders_are_visits_of_their_own() -> None:
    files = ("owl/may/cam1/1.jpg", "owl/may/cam2/1.jpg", "owl/may/cam1/2.jpg")
    assert visits("folder", *files) == ([0, 1, 0], 2, 0)


def test_photos_without_a_sub_folder_are_groups_of_their_own_and_counted() -> None:
    assert visits("folder", "owl/1.jpg", "owl/2.jpg", "owl/may/1.jpg", "owl/may/2.jpg") == ([0, 1, 2, 2], 1, 2)


def test_under_split_folders_the_class_folder_is_one_further_down() -> None:
    photos = (Photo(ROOT / "train/owl/may/1.jpg", 0, "train"), Photo(ROOT / "test/owl/may/1.jpg", 0, "test"))
    found = visit_groups(Listing(ROOT, ("owl",), photos), parse_group_by("folder"))
    assert found.groups.tolist() == [0, 0]


def test_no_sub_folder_at_all_is_an_error_for_it_would_group_nothing() -> None:
    with pytest.raises(DatasetError, match=r"no photo lies in a sub-folder.*'owl/1\.jpg'"):
        visits("folder", "owl/1.jpg", "owl/2.jpg")


# Names


def test_a_visit_is_what_the_first_group_of_the_pattern_finds() -> None:
    files = ("owl/cam1_007_a.jpg", "owl/cam1_007_b.jpg", "wren/cam1_008_a.jpg", "wren/cam1_007_c.jpg")
    assert visits(r"name:^(cam\d+_\d+)_", *files) == ([0, 0, 2, 0], 2, 0)


def test_without_a_group_it_is_the_whole_match() -> None:
    assert visits(r"name:\d{4}", "owl/2024_x.jpg", "owl/2025_x.jpg", "owl/y2024.jpg") == ([0, 1, 0], 2, 0)


def test_names_that_do_not_match_or_whose_group_is_empty_are_groups_of_their_own() -> None:
    files = ("owl/a1.jpg", "owl/b.jpg", "owl/c.jpg", "owl/a1x.jpg")
    assert visits(r"name:(\d)|b", *files) == ([0, 1, 2, 0], 1, 2)


def test_a_pattern_that_is_found_nowhere_is_an_error_with_an_example() -> None:
    with pytest.raises(DatasetError, match=r"found in no file name: fix it \(a photo here: 'owl/1\.jpg'\)"):
        visits("name:visit", "owl/1.jpg", "owl/2.jpg")


def test_a_pattern_that_would_take_for_ever_is_stopped_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MATCHING_S", 0.2)
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(DatasetError, match=r"'name:\^\(a\+\)\+b': matching 2 file names takes over 0\.2 s: simplify"):
        visits("name:^(a+)+b", "owl/1.jpg", f"owl/{'a' * 60}.jpg")
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_outside_the_main_thread_patterns_are_matched_all_the_same() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(visits, r"name:\d", "owl/1.jpg", "owl/2.jpg").result() == ([0, 1], 2, 0)


# Tables


def test_a_visit_is_a_cell_of_a_table(tmp_path: Path) -> None:
    text = write_table(tmp_path, "file,visit\nowl/1.jpg,A\nowl/2.jpg,B\nwren/1.jpg,A\n")
    assert visits(text, "owl/1.jpg", "owl/2.jpg", "wren/1.jpg") == ([0, 1, 0], 2, 0)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_spreadsheets_of_all_countries_are_read(tmp_path: Path, delimiter: str) -> None:
    rows = [("visit", "note", "file"), ("A", "x", "owl\\1.jpg"), ("A", "", "./owl/2.jpg")]
    text = "\ufeff" + "".join(delimiter.join(row) + "\r\n" for row in rows)
    assert visits(write_table(tmp_path, text), "owl/1.jpg", "owl/2.jpg") == ([0, 0], 1, 0)


def test_accents_are_the_same_whichever_way_they_are_written(tmp_path: Path) -> None:
    text = write_table(tmp_path, "file,visit\nru\u0308be/1.jpg,A\nr\u00fcbe/2.jpg,A\n")
    assert visits(text, "r\u00fcbe/1.jpg", "r\u00fcbe/2.jpg") == ([0, 0], 1, 0)


def test_photos_that_the_table_does_not_name_or_leaves_empty_are_counted(tmp_path: Path) -> None:
    text = write_table(tmp_path, "file,visit\nowl/1.jpg,A\nowl/2.jpg,\ngone.jpg,A\n")
    assert visits(text, "owl/1.jpg", "owl/2.jpg", "owl/3.jpg") == ([0, 1, 2], 1, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,trip\nowl/1.jpg,A\n", r"no column 'visit', there are 'file', 'trip'"),
        ("photo,visit\nowl/1.jpg,A\n", r"no column 'file', there are 'photo', 'visit'"),
        ("", r"no column 'file', there are none"),
        ("file,visit\nelsewhere/1.jpg,A\n", r"names none of the photos"),
        ("file,visit\nowl/1.jpg,A\nowl/1.jpg,B\n", r"line 3: 'owl/1\.jpg' occurs twice, with two visits"),
        ("file,visit\nowl/1.jpg\n", r"names none of the photos"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        visits(write_table(tmp_path, content), "owl/1.jpg")


def test_a_table_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"visits\.csv: no such file"):
        visits(f"csv:{tmp_path}/visits.csv:visit", "owl/1.jpg")
    with pytest.raises(MissingInputError, match="cannot read"):
        visits(f"csv:{tmp_path}:visit", "owl/1.jpg")
    with pytest.raises(DatasetError, match="not a CSV file in UTF-8"):
        visits(write_table(tmp_path, "file,visit\nr\u00fcbe/1.jpg,A\n", "latin-1"), "owl/1.jpg")


# Joined


def test_visits_and_near_duplicates_join_along_chains() -> None:
    by_visit = np.array([0, 0, 2, 2, 4, 5])
    by_look = np.array([0, 1, 1, 3, 4, 5])
    assert join_groups(by_visit, by_look).tolist() == [0, 0, 0, 0, 4, 5]


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=40))
def test_a_joined_group_tears_neither(drawn: list[tuple[int, int]]) -> None:
    one, other = (numbered(column) for column in (zip(*drawn, strict=True) if drawn else ((), ())))
    joined = join_groups(one, other)
    for part in (one, other):
        for number in np.unique(part):
            assert len(np.unique(joined[part == number])) == 1
    assert all(joined[number] == number for number in joined)  # each is named after its first member
    assert all(number <= place for place, number in enumerate(joined))


def test_linking_nothing_changes_nothing() -> None:
    groups = np.array([0, 0, 2])
    assert linked(groups, np.array([], np.int64), np.array([], np.int64)).tolist() == [0, 0, 2]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31 - 1), st.integers(3, 6), st.integers(20, 60))
def test_no_visit_is_ever_torn_though_nearly_all_hold_several_classes(seed: int, classes: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    visit = np.sort(rng.integers(0, count, 12 * count))
    labels = rng.integers(0, classes, 12 * count)
    photos = tuple(Photo(ROOT / f"{number}.jpg", int(label), None) for number, label in enumerate(labels))
    listing = Listing(ROOT, tuple(map(str, range(classes))), photos)
    splits, torn = assign_splits(listing, numbered(visit.tolist()), seed)
    sides = {split: set(visit[splits[split]]) for split in SPLITS}
    assert sum(map(len, sides.values())) == len(set(visit))
    assert torn == 0
    assert all(set(labels[splits[split]]) == set(range(classes)) for split in SPLITS)
    assert 0.6 < len(splits["train"]) / len(labels) < 0.8

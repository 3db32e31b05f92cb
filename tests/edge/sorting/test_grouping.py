"""Alike pictures side by side, in a process of its own; and what tables and reports name."""

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge.errors import DataError, MissingInputError
from edge.sorting.apart.heaps import heaps
from edge.sorting.grouping import GroupingError, group_pictures
from edge.sorting.places import session_of
from edge.sorting.sources import of_report, of_table


def photo(path: Path, colour: tuple[int, int, int], seed: int) -> Path:
    """A noisy photo of mostly one colour."""
    noise = np.random.default_rng(seed).integers(-30, 30, (48, 64, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)).save(path, format="JPEG")
    return path


@pytest.mark.process
def test_photos_that_look_alike_come_together_and_damaged_ones_in_no_group(tmp_path: Path) -> None:
    colours = [(200, 40, 40), (40, 40, 200)]
    files = [photo(tmp_path / f"{number}.jpg", colours[number % 2], number) for number in range(30)]
    odd = tmp_path / os.fsdecode(b"\xff\n.jpg")
    files += [photo(odd, colours[0], 99), tmp_path / "missing.jpg", tmp_path / "torn.jpg"]
    files[-1].write_bytes(files[0].read_bytes()[:200])
    seen: list[tuple[int, int]] = []
    groups = group_pictures(files, None, lambda done, total: seen.append((done, total)), threads=2)
    assert sorted(place for group in groups for place in group) == [*range(31)]
    assert [len(Counter(0 if place == 30 else place % 2 for place in group)) for group in groups] == [1] * len(groups)
    assert seen[-1] == (33, 33)


@pytest.mark.process
def test_a_bundle_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(GroupingError, match="not grouped"):
        group_pictures([photo(tmp_path / "a.jpg", (1, 2, 3), 0)], tmp_path / "no-bundle", lambda *_: None)
    assert group_pictures([], None, lambda *_: None) == []


@given(st.integers(1, 60), st.integers(1, 20), st.booleans())
def test_every_point_is_in_one_group(points: int, wanted: int, alike: bool) -> None:
    table = np.zeros((points, 4), np.float32) if alike else np.random.default_rng(points).normal(size=(points, 4))
    found = heaps(table.astype(np.float32), wanted)
    assert sorted(np.concatenate(found).tolist()) == list(range(points))
    assert 1 <= len(found) <= wanted


def test_the_table_of_another_folder_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("file,group,class\n../a.jpg,1,\n/etc/passwd,1,\nb.jpg,2,\n")
    photo(tmp_path / "a.jpg", (1, 2, 3), 0)
    (tmp_path / "photos").mkdir()
    with pytest.raises(MissingInputError, match="none of the 3 photos"):
        of_table(table, tmp_path / "photos")
    table.write_bytes(
        b"file,group,class\n" + os.fsencode(photo(tmp_path / "photos/b.jpg", (1, 2, 3), 0).name) + b",x,\xff\n"
    )
    (found,) = of_table(table, tmp_path / "photos")
    assert (found.file, found.group, found.hint) == (b"b.jpg", 1, "?")


def test_mistakes_come_in_groups_of_truth_and_answer(tmp_path: Path) -> None:
    worst = [{"name": f"test/owl/{n}.jpg", "truth": "owl", "answer": "fox", "score": 0.9} for n in range(3)]
    unsure = [{"name": "test/fox/9.jpg", "truth": "fox", "answer": "fox"}, worst[0], {**worst[1], "name": "gone.jpg"}]
    report = tmp_path / "birds-report.json"
    report.write_text(json.dumps({"schema": 1, "test": {"worst": worst, "unsure": unsure}, "validation": None}))
    for n in range(3):
        photo(tmp_path / f"photos/test/owl/{n}.jpg", (1, 2, 3), n)
    photo(tmp_path / "photos/test/fox/9.jpg", (1, 2, 3), 9)
    found = of_report(tmp_path, tmp_path / "photos")
    assert [(one.title, one.group, one.hint) for one in found] == [("owl / fox", 1, "owl")] * 3 + [
        ("fox / fox", 2, "fox")
    ]
    report.write_text('{"test": {"worst": [1]}}')
    with pytest.raises(DataError, match="no report of a training"):
        of_report(report, tmp_path / "photos")


def test_a_session_lies_beside_its_photos_or_in_ones_own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "card").mkdir()
    assert session_of(tmp_path / "card") == tmp_path / "card.sorting" / "session.db"
    monkeypatch.setattr(os, "access", lambda *_: False)
    own = session_of(tmp_path / "card")
    assert own.is_relative_to(tmp_path / "data/fieldfare/sorting")
    monkeypatch.undo()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    own.parent.mkdir(parents=True)
    own.touch()
    assert session_of(tmp_path / "card") == own, "one that is there is found again"

"""What is written: a table, folders and a page, whole or not at all."""

import csv
import errno
from pathlib import Path

import numpy as np
import pytest
from heard import Heard

from edge.errors import MissingInputError, StorageError
from trainer.grouping.group import Grouping
from trainer.grouping.naming import Name
from trainer.grouping.page import chosen, render, spread
from trainer.grouping.result import Result, write_result


@pytest.fixture
def result(tmp_path: Path) -> Result:
    """Five photos: two of one name in group 1, a copy of one of them, one in group 2 and one in none."""
    names = ["a/IMG_1.jpg", "b/IMG_1.jpg", "b/copy.jpg", "c/<b>.jpg", "d/odd.jpg"]
    paths = [tmp_path / "card" / name for name in names]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]))
    grouping = Grouping(
        numbers=np.array([1, 1, 1, 2, 0]),
        order=np.array([1, 2, 0, 3, 4]),
        counted_with=np.array([0, 1, 1, 3, 4]),
        visits=np.array([1, 2, 2, 0, 0]),
        groups=2,
        silhouette=0.25,
        clear=True,
    )
    return Result(tmp_path / "card", paths, grouping, (Name("fox", 0.9), Name("red/deer", 0.5)))


def write(result: Result, out: Path, photos: str = "links", *, by_visit: bool = False) -> list[dict[str, str]]:
    write_result(out, result, "<page>", photos=photos, by_visit=by_visit, progress=Heard())  # type: ignore[arg-type]
    with (out / "groups.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_a_row_for_each_photo_in_order(result: Result, tmp_path: Path) -> None:
    rows = write(result, tmp_path / "out")
    assert [row["file"] for row in rows] == ["b/IMG_1.jpg", "b/copy.jpg", "a/IMG_1.jpg", "c/<b>.jpg", "d/odd.jpg"]
    assert rows[1] == {
        "file": "b/copy.jpg",
        "group": "1",
        "class": "fox",
        "score": "0.900",
        "visit": "2",
        "counted_with": "b/IMG_1.jpg",
        "place": "group-01-fox/copy.jpg",
    }
    assert (rows[4]["group"], rows[4]["class"], rows[4]["place"]) == ("unsure", "", "unsure/odd.jpg")
    assert "/" not in rows[3]["place"].removeprefix("group-02-").removesuffix("/<b>.jpg")


@pytest.mark.parametrize("how", ["links", "copies"])
def test_two_photos_of_one_name_both_arrive(result: Result, tmp_path: Path, how: str) -> None:
    rows = write(result, tmp_path / "out", how)
    assert len({row["place"].casefold() for row in rows}) == 5
    for row in rows:
        place = tmp_path / "out" / row["place"]
        assert place.is_symlink() == (how == "links")
        assert place.read_bytes() == (tmp_path / "card" / row["file"]).read_bytes()


def test_each_visit_can_have_a_folder(result: Result, tmp_path: Path) -> None:
    places = [row["place"] for row in write(result, tmp_path / "out", by_visit=True)]
    assert places[:3] == [
        "group-01-fox/visit-00002/IMG_1.jpg",
        "group-01-fox/visit-00002/copy.jpg",
        "group-01-fox/visit-00001/IMG_1.jpg",
    ]


def test_the_table_alone(result: Result, tmp_path: Path) -> None:
    rows = write(result, tmp_path / "out", "none")
    assert {row["place"] for row in rows} == {""}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["groups.csv", "groups.html"]


@pytest.mark.parametrize("how", ["links", "copies"])
def test_a_photo_that_vanished_leaves_nothing_behind(result: Result, tmp_path: Path, how: str) -> None:
    result.paths[3].unlink()
    with pytest.raises(MissingInputError, match="card still plugged in"):
        write(result, tmp_path / "out", how)
    assert [path.name for path in tmp_path.iterdir()] == ["card"]


def test_a_disk_without_links_is_named_with_the_way_out(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with pytest.raises(StorageError, match="add --photos copies"):
        write(result, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["card"]


def test_the_page_shows_each_different_photo_once_and_escapes_names(result: Result) -> None:
    assert {number: photos.tolist() for number, photos in chosen(result).items()} == {1: [1, 0], 2: [3], 0: [4]}
    page = render(result, dict.fromkeys(result.paths, "data:,"), None, how="By hand.", notes=["Take care."])
    assert page.count("<img") == 4
    assert "&lt;b&gt;.jpg" in page
    assert "<b>.jpg" not in page
    assert "+1</b>" in page  # the copy
    assert "nearest known class: <bdi>fox, mean score 0.90" in page
    assert "Take care." in page


def test_photos_shown_are_spread_over_the_group() -> None:
    assert spread(np.arange(100), 5).tolist() == [0, 25, 50, 74, 99]
    assert spread(np.arange(3), 5).tolist() == [0, 1, 2]
    assert spread(np.arange(0), 5).tolist() == []

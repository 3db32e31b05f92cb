"""Photos picked and written: each once, none that is labelled, under names that every folder takes, or none at all."""

import csv
import io
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from heard import Heard
from mean_colours import MeanColours, colour_photo, colour_photos, sorted_photos

from edge.errors import DatasetError, MissingInputError, OutputExistsError
from trainer.dataset.machine_labels import MachineLabel, write_machine_labels
from trainer.picking.pick import PICKED, Picked, pick, write_picked


def picked(photos: Path, count: int, labelled: Path | None = None, progress: Heard | None = None) -> Picked:
    return pick(photos, count, MeanColours(), labelled=labelled, seed=0, workers=1, progress=progress or Heard())


def colours(found: Picked) -> list[str]:
    return [row.file.partition("-")[0] for row in found.rows]


def test_three_photos_are_one_of_each_colour(tmp_path: Path) -> None:
    found = picked(colour_photos(tmp_path, {"red": 12, "green": 8, "blue": 4}), 3)
    assert colours(found) == ["red", "green", "blue"]
    assert (found.photos, found.different, found.labelled) == (24, 24, 0)


def test_what_is_labelled_is_not_picked_and_nor_is_its_kind(tmp_path: Path) -> None:
    photos = colour_photos(tmp_path / "card", {"red": 8, "green": 8, "blue": 8})
    known = tmp_path / "known" / "any"
    known.mkdir(parents=True)
    (known / "one.png").symlink_to(photos / "red-0.png")
    heard = Heard()
    assert sorted(colours(picked(photos, 2, tmp_path / "known", heard))) == ["blue", "green"]
    assert heard.lines[0].startswith("typical photos are picked, as classes are not found: ")


def test_with_two_labelled_classes_those_in_doubt_are_picked(tmp_path: Path) -> None:
    known = sorted_photos(tmp_path / "known", 6)
    shutil.rmtree(known / "blue")
    card = colour_photos(tmp_path / "card", {"red": 8, "green": 8})
    red, green = (cv2.imread(str(card / f"{colour}-0.png")).astype(np.float32) for colour in ("red", "green"))
    for number in range(3):
        part = 0.45 + 0.05 * number
        cv2.imwrite(
            str(card / f"between-{number}.png"),
            (part * red + (1 - part) * green).astype(np.uint8)[:: 1 - 2 * (number % 2)],
        )
    found = picked(card, 2, known)
    assert colours(found) == ["between", "between"]
    assert found.labelled == 12
    assert all(row.guess in ("red", "green") and row.doubt is not None and row.doubt > 0.3 for row in found.rows)
    sure = picked(card, 19, known)
    doubts = {row.file: row.doubt or 0.0 for row in sure.rows}
    assert max(doubt for file, doubt in doubts.items() if "between" not in file) < min(
        row.doubt or 0 for row in found.rows
    )
    assert all(row.guess == row.file.partition("-")[0] for row in sure.rows if "between" not in row.file)


def test_a_scene_under_two_classes_and_test_photos_teach_nothing(tmp_path: Path) -> None:
    known = sorted_photos(tmp_path / "known" / "train", 2).parent
    sorted_photos(known / "test", 1, first_seed=5000)
    card = colour_photos(tmp_path / "card", {"red": 6, "green": 6, "blue": 6})
    assert {row.guess for row in picked(card, 18, known).rows} == {"red", "green", "blue"}
    for number in range(2):
        shutil.copy(known / "train" / "red" / f"red-{number}.png", known / "test" / "red" / f"again-{number}.png")
        shutil.copy(known / "train" / "green" / f"green-{number}.png", known / "train" / "red" / f"wrong-{number}.png")
    found = picked(card, 18, known)
    assert [row.guess for row in found.rows] == [None] * 18, "blue alone is left"
    assert found.labelled == 9


def test_exploring_goes_on_with_what_nothing_labelled_is_like(tmp_path: Path) -> None:
    known = sorted_photos(tmp_path / "known", 1)
    shutil.rmtree(known / "blue")
    card = colour_photos(tmp_path / "card", {"red": 9, "green": 9, "blue": 3})
    found = pick(card, 1, MeanColours(), labelled=known, seed=0, workers=1, progress=Heard(), explore=True)
    assert colours(found) == ["blue"]
    assert found.rows[0].guess is None


def test_labels_that_a_machine_made_show_no_classes(tmp_path: Path) -> None:
    known = sorted_photos(tmp_path / "known", 2)
    names = [path.relative_to(known).as_posix() for path in known.glob("*/*.png")]
    table = write_machine_labels(MachineLabel(name, name.partition("/")[0], 0.9) for name in names)
    (known / "machine-labels.csv").write_bytes(table)
    found = picked(colour_photos(tmp_path / "card", {"red": 8, "green": 8}), 2, known)
    assert [row.guess for row in found.rows] == [None, None]


def test_near_duplicates_count_once(tmp_path: Path) -> None:
    photos = colour_photos(tmp_path, {"green": 1})
    for number in range(5):
        colour_photo(tmp_path / f"red-{number}.png", "red", 77)
    heard = Heard()
    found = picked(photos, 4, progress=heard)
    assert sorted((row.file[:3], row.stands_for) for row in found.rows) == [("gre", 1), ("red", 5)]
    assert heard.lines == ["2 photos picked instead of 4: no more are different"]


def test_photos_that_cannot_be_read_are_named_and_left_out(tmp_path: Path) -> None:
    photos = colour_photos(tmp_path, {"red": 3})
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    heard = Heard()
    found = picked(photos, 3, progress=heard)
    assert (len(found.rows), found.photos, found.unreadable) == (3, 3, 1)
    assert len(heard.lines) == 1
    assert "left out" in heard.lines[0]
    assert "torn.png" in heard.lines[0]


def test_no_photos_and_nothing_left_to_label_are_errors(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no such folder"):
        picked(tmp_path / "nowhere", 3)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInputError, match="no photos there"):
        picked(tmp_path / "empty", 3)
    photos = colour_photos(tmp_path / "card", {"red": 2})
    with pytest.raises(DatasetError, match="every photo is labelled already"):
        picked(photos, 3, photos)


def test_odd_names_come_back_from_the_table_and_make_links(tmp_path: Path) -> None:
    card = tmp_path / "card"
    for number, name in enumerate(["a\nb.png", "=1+1.png", 'x",y.png', "-rf.png", os.fsdecode(b"\xff\xfe.png")]):
        source = colour_photo(tmp_path / "plain.png", "red", number)
        card.mkdir(exist_ok=True)
        source.rename(card / name)
    found = picked(card, 5)
    write_picked(tmp_path / "out", found, copy=False, progress=Heard())
    table = (tmp_path / "out" / PICKED).read_bytes().decode("utf-8", "surrogateescape")
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert {row["file"] for row in rows} == {path.name for path in card.iterdir()}
    links = [path for path in (tmp_path / "out").iterdir() if path.name != PICKED]
    assert {link.resolve() for link in links} == set(card.iterdir())
    assert all(link.name.isprintable() and link.suffix == ".png" for link in links)


def test_the_table_has_the_name_that_each_photo_got(tmp_path: Path) -> None:
    """Who sorts the links must find the row of each, and the photo that it is of."""
    card = colour_photos(tmp_path / "card", {"red": 3, "green": 8})
    write_picked(tmp_path / "out", picked(card, 11), copy=False, progress=Heard())
    rows = list(csv.DictReader((tmp_path / "out" / PICKED).read_text().splitlines()))
    assert list(rows[0]) == ["file", "stands_for", "guess", "doubt", "name"]
    assert len(rows) == 11
    for row in rows:
        assert (tmp_path / "out" / row["name"]).resolve() == card / row["file"]


def test_copies_are_files_of_their_own(tmp_path: Path) -> None:
    found = picked(colour_photos(tmp_path / "card", {"red": 2}), 2)
    write_picked(tmp_path / "out", found, copy=True, progress=Heard())
    copies = sorted((tmp_path / "out").glob("*.png"))
    assert [path.is_symlink() for path in copies] == [False, False]
    assert {path.read_bytes() for path in copies} == {path.read_bytes() for path in found.paths}


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    found = picked(colour_photos(tmp_path / "card", {"red": 2}), 2)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("kept")
    with pytest.raises(OutputExistsError, match="exists"):
        write_picked(tmp_path / "out", found, copy=False, progress=Heard())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]

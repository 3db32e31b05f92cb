"""The table of machine-made labels: read as it was written; such photos are learned from and never tested on."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DatasetError, MissingInputError
from trainer.dataset.listing import list_photos
from trainer.dataset.machine_labels import (
    MACHINE_LABELS,
    MachineLabel,
    machine_weights,
    read_machine_labels,
    write_machine_labels,
)
from trainer.dataset.splitting import assign_splits

FOLDERS = ("owl", "wren")


def photos(root: Path, each: int, *, machine: int, split: str = "") -> Path:
    """Make class folders of `each` empty photos, the last `machine` of them in the table."""
    rows = []
    for folder in FOLDERS:
        (root / split / folder).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            (root / split / folder / f"{number}.jpg").touch()
            if number >= each - machine:
                rows.append(MachineLabel(str(Path(split) / folder / f"{number}.jpg"), folder, 0.9))
    (root / MACHINE_LABELS).write_bytes(write_machine_labels(rows))
    return root


@given(st.lists(st.text(st.characters(exclude_characters="\0\r"), min_size=1), unique=True))
def test_any_name_comes_back(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    folder = tmp_path_factory.mktemp("labels")
    try:
        data = write_machine_labels(MachineLabel(name, "owl", 0.5) for name in names)
    except UnicodeEncodeError:  # half of a pair of surrogates is no name of a file
        return
    (folder / MACHINE_LABELS).write_bytes(data)
    assert read_machine_labels(folder) == dict.fromkeys(names, 0.5)


def test_bytes_that_are_no_text_come_back(tmp_path: Path) -> None:
    name = b'owl/\xff\n,".jpg'.decode("utf-8", "surrogateescape")
    (tmp_path / MACHINE_LABELS).write_bytes(write_machine_labels([MachineLabel(name, "owl", 0.25)]))
    assert read_machine_labels(tmp_path) == {name: 0.25}


def test_a_table_that_a_spreadsheet_saved_is_read(tmp_path: Path) -> None:
    (tmp_path / MACHINE_LABELS).write_bytes("\ufefffile;label;sure\r\nowl/1.jpg;owl;0,75\r\n".encode())
    assert read_machine_labels(tmp_path) == {"owl/1.jpg": 0.75}


def test_no_table_marks_nothing(tmp_path: Path) -> None:
    assert read_machine_labels(tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\nowl/1.jpg,owl\n", "no column 'sure'"),
        ("", "no column 'file'"),
        ("file,label,sure\nowl/1.jpg,owl,much\n", "line 2: sure is 'much', must be 0 to 1"),
        ("file,label,sure\nowl/1.jpg,owl,1.5\n", "must be 0 to 1"),
        ("file,label,sure\nowl/1.jpg,owl,nan\n", "must be 0 to 1"),
        ("file,label,sure\nowl/1.jpg\n", "line 2: sure is '', must be 0 to 1"),
    ],
)
def test_a_table_that_is_none_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / MACHINE_LABELS).write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_machine_labels(tmp_path)


def test_a_folder_of_that_name_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / MACHINE_LABELS).mkdir()
    with pytest.raises(MissingInputError, match="cannot read"):
        read_machine_labels(tmp_path)


def test_machine_made_labels_are_in_training_alone(tmp_path: Path) -> None:
    listing = list_photos(photos(tmp_path, 40, machine=25))
    assert len(listing.machine_made) == 50
    for seed in range(5):
        splits, _ = assign_splits(listing, np.arange(80), seed)
        assert set(listing.machine_made) <= set(splits["train"].tolist())
        # Shares are of the photos that people labelled: 15 of each class.
        assert len(splits["val"]) == len(splits["test"]) == 4


def test_what_is_nearly_a_test_photo_is_in_no_split(tmp_path: Path) -> None:
    listing = list_photos(photos(tmp_path, 10, machine=5))
    groups = np.arange(20)
    made = listing.machine_made
    groups[made] = np.setdiff1d(np.arange(20), made)  # each is like one of those labelled by hand
    splits, _ = assign_splits(listing, groups, 0)
    judged = set(groups[np.r_[splits["val"], splits["test"]]].tolist())
    assert not judged & set(groups[splits["train"]].tolist())
    assert set(made.tolist()) & set(splits["train"].tolist())


def test_split_folders_are_kept_and_machine_made_labels_stay_out_of_test(tmp_path: Path) -> None:
    photos(tmp_path, 4, machine=0, split="test")
    photos(tmp_path, 12, machine=6, split="train")
    listing = list_photos(tmp_path)
    splits, _ = assign_splits(listing, np.arange(len(listing.photos)), 0)
    assert {listing.photos[index].split for index in splits["test"]} == {"test"}
    assert set(listing.machine_made) <= set(splits["train"].tolist())


def test_a_machine_made_label_in_a_test_folder_is_not_tested_on(tmp_path: Path) -> None:
    photos(tmp_path, 8, machine=0, split="train")
    photos(tmp_path, 8, machine=4, split="test")
    listing = list_photos(tmp_path)
    splits, _ = assign_splits(listing, np.arange(len(listing.photos)), 0)
    assert not set(listing.machine_made) & {*splits["val"].tolist(), *splits["test"].tolist()}
    assert len(splits["test"]) == 8


def test_a_class_that_only_a_machine_labelled_is_too_small(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="2 classes have 2 photos or fewer"):
        list_photos(photos(tmp_path, 30, machine=28))


def test_moved_photos_count_as_labelled_by_hand(tmp_path: Path) -> None:
    photos(tmp_path, 10, machine=2)
    (tmp_path / "owl" / "9.jpg").rename(tmp_path / "wren" / "owl-9.jpg")
    listing = list_photos(tmp_path)
    assert len(listing.machine_made) == 3
    assert listing.lost == 1


def test_no_class_gets_more_from_the_machine_than_the_median_class() -> None:
    labels = np.array([0] * 10 + [1] * 10 + [2] * 10 + [0] * 40 + [1] * 20 + [2] * 5)
    weights = machine_weights(labels, np.arange(30, 95), np.arange(30), classes=4, weight=0.5)
    assert weights[:30].tolist() == [1.0] * 30
    totals = [float(weights[30:][labels[30:] == number].sum()) for number in range(3)]
    assert totals == pytest.approx([10, 10, 2.5])
    assert weights.max() == 1
    assert weights[-1] == 0.5


def test_without_machine_made_labels_all_count_the_same() -> None:
    assert machine_weights(np.array([0, 1]), np.array([], np.int64), np.arange(2), classes=2, weight=0.5).tolist() == [
        1,
        1,
    ]


def test_a_class_that_only_the_machine_named_is_no_division_by_zero() -> None:
    weights = machine_weights(np.array([0, 0, 1]), np.array([1, 2]), np.array([0]), classes=2, weight=0.5)
    assert weights.tolist() == [1.0, 0.5, 0.5]

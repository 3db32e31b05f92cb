"""Photos to teach from: class folders, marked events, and names that are refused."""

import hashlib
from pathlib import Path

import pytest
from colour_bundles import photos
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DatasetError, MissingInputError
from edge.events.records import Event
from edge.store.records import Mark, StoredPicture
from edge.store.writing import StoreWriter
from edge.teaching.photos import LEAST_OF_NEW, MOST_OF_CLASS, Photo, labels_with, of_folder, of_store, only, thinned


def photos_of(*labels: str) -> list[Photo]:
    return [Photo(label, Path("a.jpg")) for label in labels]


def test_each_folder_is_a_class_and_systems_folders_are_none(tmp_path: Path) -> None:
    for label in ("owl", "#recycle", ".hidden"):
        photos(tmp_path, label, "red", 2)
    assert [(photo.label, photo.path.name) for photo in of_folder(tmp_path)] == [("owl", "000.png"), ("owl", "001.png")]


def test_no_folder_and_no_photos_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no folder there"):
        of_folder(tmp_path / "nowhere")
    (tmp_path / "owl").mkdir()
    with pytest.raises(DatasetError, match="no class folder with photos"):
        of_folder(tmp_path)


@pytest.mark.parametrize("label", ["Fox", "FOX", "fox\ufe0f"])
def test_a_new_class_that_reads_like_one_that_is_there_is_refused(label: str) -> None:
    with pytest.raises(DatasetError, match="reads like 'fox'"):
        labels_with(["fox", "owl"], photos_of(label))


@pytest.mark.parametrize("label", ["unknown", "a\u202eb", "x" * 1001, " owl"])
def test_what_can_be_no_label_is_refused(label: str) -> None:
    with pytest.raises(DatasetError, match="the class"):
        labels_with(["fox"], photos_of(label))


@given(st.lists(st.sampled_from(["fox", "owl", "<b>&\"'", "x" * 200, "Ünlü", "猫"])))
def test_old_labels_keep_their_numbers_and_new_ones_follow_in_order(given_: list[str]) -> None:
    labels = labels_with(["owl", "fox"], photos_of(*given_))
    assert labels[:2] == ("owl", "fox")
    assert list(labels[2:]) == sorted(set(given_) - {"owl", "fox"})


def test_of_many_photos_some_are_used_and_that_is_noted() -> None:
    many = [Photo("owl", Path(f"{number:04}.jpg")) for number in range(3 * MOST_OF_CLASS)]
    notes: list[str] = []
    kept = thinned([*many, *photos_of("fox")], (), notes.append)
    assert len(kept) == MOST_OF_CLASS + 1
    assert kept[0] == many[0]
    assert notes == [f"owl: {MOST_OF_CLASS} of {3 * MOST_OF_CLASS} photos are used"]


def test_a_label_without_photos_is_refused() -> None:
    with pytest.raises(DatasetError, match="--label 'owl': there are no photos of it"):
        only(photos_of("fox"), ["owl"])


def a_store(folder: Path) -> Path:
    """Events 1 to 5: right, another label, wrong, right without its picture, not marked."""
    store = folder / "events.db"
    marks = [
        Mark(verdict="right"),
        Mark(verdict="other", label="hedgehog"),
        Mark(verdict="wrong"),
        Mark(verdict="right"),
    ]
    with StoreWriter(store) as writer:
        for number in range(1, 6):
            path = folder / "pictures" / f"{number}.jpg"
            path.parent.mkdir(exist_ok=True)
            if number != 4:
                path.write_bytes(b"jpeg")
            picture = StoredPicture(
                kind="best",
                path=path,
                size=4,
                width=2,
                height=2,
                captured_mono_s=float(number),
                captured_wall_s=1.75e9 + number,
                sha256=hashlib.sha256(b"jpeg").hexdigest(),
            )
            event = Event(
                device="trap",
                boot="0" * 32,
                sequence=1000 * number,
                label="fox",
                begin_mono_s=float(number),
                end_mono_s=number + 1.0,
                peak=0.9,
                peak_mono_s=number + 0.5,
                mean=0.8,
                frames=5,
                engine="cpu",
                bundle="0123456789ab",
                camera="front",
            )
            writer.add_events([(event, 1.75e9 + number, 1.75e9 + number + 1, "ntp", (picture,))])
        for number, mark in enumerate(marks, 1):
            writer.mark([number], mark)
    return store


def test_events_that_were_marked_teach_what_a_person_called_them(tmp_path: Path) -> None:
    found, gone = of_store(a_store(tmp_path), cut=False)
    assert [(photo.label, photo.path.name) for photo in found] == [("fox", "1.jpg"), ("hedgehog", "2.jpg")]
    assert gone == 1


def test_a_store_without_marks_says_what_to_do(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "events.db"):
        pass
    with pytest.raises(DatasetError, match="fieldfare events mark"):
        of_store(tmp_path / "events.db", cut=False)


def test_if_few_are_wanted_of_all_the_large_classes_give_way() -> None:
    many = [Photo(label, Path(f"{number:04}.jpg")) for label in ("fox", "owl") for number in range(100)]
    kept = thinned([*many, *photos_of(*["cat"] * 6)], (), lambda _: None, 50)
    assert {label: sum(photo.label == label for photo in kept) for label in ("fox", "owl", "cat")} == {
        "fox": 22,
        "owl": 22,
        "cat": 6,
    }


def test_of_many_classes_known_ones_give_way_and_new_ones_keep_what_they_need() -> None:
    many = [Photo(f"{label:03}", Path(f"{number:04}.jpg")) for label in range(60) for number in range(8)]
    known = [f"{label:03}" for label in range(50)]
    kept = thinned(many, known, lambda _: None, 200)
    counts = [sum(photo.label == f"{label:03}" for photo in kept) for label in range(60)]
    assert counts == [3] * 50 + [LEAST_OF_NEW] * 10
    with pytest.raises(DatasetError, match="60 classes are too many for 200 photos, as a new one needs 5"):
        thinned(many, (), lambda _: None, 200)

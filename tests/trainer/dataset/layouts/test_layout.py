"""Folders that are not laid out as classes are refused with the way out."""

import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import FieldfareError
from edge.photo_files import find_images
from trainer.dataset.listing import list_photos


def fill(root: Path, *folders: str, count: int = 4) -> Path:
    """Folders of empty files: listing goes by names alone."""
    for name in folders:
        (root / name).mkdir(parents=True)
        for number in range(count):
            (root / name / f"{number:03}.jpg").touch()
    return root


def refusal(root: Path) -> str:
    """The one line with which `root` is refused, with the status of unusable data."""
    with pytest.raises(FieldfareError) as caught:
        list_photos(root)
    assert caught.value.exit_status == 65
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Splits without classes


@pytest.mark.parametrize(
    "names",
    [
        ("train", "test1"),
        ("train", "test"),
        ("Train", "Valid", "TEST"),
        ("training", "testing"),
        ("train", "validation"),
        ("trainset", "testset"),
        ("Training_Data", "eval"),
        ("train2017", "val2017"),
        ("images-train", "images-val"),
        ("dev", "test"),
        ("train", "holdout"),
        ("train1", "test1", "extra"),
        ("train",),
        ("test1",),
        ("Train Set",),
    ],
)
def test_splits_that_hold_photos_but_no_classes_are_refused_as_splits(tmp_path: Path, names: tuple[str, ...]) -> None:
    message = refusal(fill(tmp_path, *names))
    assert "look like splits, not classes" in message
    assert "put those of each class into a folder of its name, such as train/owl" in message


def test_splits_inside_the_classes_are_refused(tmp_path: Path) -> None:
    message = refusal(fill(tmp_path, "owl/train", "owl/test", "wren/train", "wren/val", "wren/test"))
    assert "each class holds splits, such as owl/train: turn them round, such as train/owl" in message


def test_folders_of_other_names_inside_the_classes_are_parts_of_them(tmp_path: Path) -> None:
    assert list_photos(fill(tmp_path, "owl/train", "owl/barn", "wren/train", "wren/test")).classes == ("owl", "wren")


def test_a_test_without_labels_beside_a_train_folder_of_classes_is_refused_as_a_split(tmp_path: Path) -> None:
    assert "the photos in 'test1' are in no class" in refusal(fill(tmp_path / "a", "train/owl", "train/wren", "test1"))
    assert "the photos in 'test' are in no class" in refusal(fill(tmp_path / "b", "train/owl", "train/wren", "test"))


@pytest.mark.parametrize(
    "names",
    [
        ("train", "tram", "bus"),
        ("valid", "invalid"),
        ("test", "control"),
        ("test positive", "test negative"),
        ("training", "racing"),
        ("contest", "protest"),
        ("validated", "rejected"),
    ],
)
def test_classes_whose_names_only_remind_of_splits_are_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert list_photos(fill(tmp_path, *names)).classes == tuple(sorted(names))


# Classes under days, cameras, folds, copies


@pytest.mark.parametrize(
    "above",
    [
        ("color", "grayscale", "segmented"),
        ("day", "night"),
        ("cam1", "cam2"),
        ("fold1", "fold2", "fold3"),
        ("original", "augmented"),
        ("entrainement", "test"),
        ("lapin", "loup"),  # whatever the language
    ],
)
def test_folders_that_each_hold_the_same_classes_are_refused_with_the_one_to_give(
    tmp_path: Path, above: tuple[str, ...]
) -> None:
    fill(tmp_path, *(f"{name}/{label}" for name in above for label in ("owl", "wren")))
    message = refusal(tmp_path)
    assert "each hold folders of the same names, 'owl', 'wren'" in message
    assert f"give one folder of them, such as {tmp_path / min(above)}" in message
    assert message.endswith("if they are visits, add --group-by folder")
    assert list_photos(tmp_path, visits=True).classes == tuple(sorted(above))


def test_a_class_that_one_of_them_lacks_hides_nothing(tmp_path: Path) -> None:
    fill(tmp_path, *(f"cam{n}/{label}" for n in range(8) for label in ("owl", "wren", "robin")[: 2 + n % 2]))
    assert "each hold folders of the same names" in refusal(tmp_path)


def test_folders_of_days_are_no_classes_of_cameras(tmp_path: Path) -> None:
    fill(tmp_path, *(f"cam{n}/{label}" for n in (1, 2) for label in ("class1", "class2")))
    assert "each hold folders of the same names, 'class1', 'class2'" in refusal(tmp_path)


@pytest.mark.parametrize(
    "parts",
    [("2024-05-01", "2024-05-02"), ("cam1", "cam2"), ("day", "night"), ("male", "female"), ("visit", "visit 2")],
)
def test_visits_of_the_same_names_in_all_classes_are_parts_of_them(tmp_path: Path, parts: tuple[str, ...]) -> None:
    root = fill(tmp_path, *(f"{label}/{part}" for label in ("owl", "wren") for part in parts))
    if "visit" in parts:  # a word that may as well be a class
        assert "add --group-by folder" in refusal(root)
    assert list_photos(root, visits=True).classes == ("owl", "wren")
    assert "visit" in parts or list_photos(root).classes == ("owl", "wren")


def test_a_command_without_a_word_on_visits_refuses_only_what_is_hardly_classes(tmp_path: Path) -> None:
    copies = fill(tmp_path / "copies", *(f"{name}/{label}" for name in ("color", "gray") for label in ("owl", "wren")))
    with pytest.raises(FieldfareError, match=r"if they are visits, begin their names with a number or date$"):
        list_photos(copies, visits=None)
    sites = fill(tmp_path / "sites", *(f"{name}/{site}" for name in ("owl", "wren") for site in ("garden", "pond")))
    nights = fill(tmp_path / "nights", *(f"{name}/2026-11-{day}" for name in ("day", "night") for day in (1, 2)))
    assert list_photos(sites, visits=None).classes == ("owl", "wren")
    assert list_photos(nights, visits=None).classes == ("day", "night")


def test_a_copy_of_the_classes_beside_them_is_no_class(tmp_path: Path) -> None:
    message = refusal(fill(tmp_path, "data/owl", "data/wren", "owl", "wren"))
    assert "'data' is no class: it holds 'owl', 'wren', as the folders beside it are called" in message


# Words of every day that systems use too


@pytest.mark.parametrize("name", ["recycled", "Recycler", "thumbnail", "thumbnails"])
def test_a_folder_of_photos_that_is_called_by_a_word_of_every_day_is_a_class(tmp_path: Path, name: str) -> None:
    root = fill(tmp_path, name, "landfill")
    assert list_photos(root).classes == tuple(sorted((name, "landfill")))
    assert len(find_images(root)) == 8


@pytest.mark.parametrize("counts", [(8, 2, 0), (2, 1, 1)])
def test_a_word_of_every_day_is_a_class_of_all_splits_together(tmp_path: Path, counts: tuple[int, int, int]) -> None:
    for split, count in zip(("train", "val", "test"), counts, strict=True):
        fill(tmp_path, f"{split}/recycled", count=count or 1)
        fill(tmp_path, f"{split}/landfill")
    listing = list_photos(tmp_path)
    assert listing.classes == ("landfill", "recycled")
    assert not listing.closed
    assert sum(listing.labels == 1) == sum(count or 1 for count in counts)


def test_few_thumbnails_in_the_splits_are_none(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{split}/{name}" for split in ("train", "test") for name in ("owl", "wren")))
    fill(tmp_path, "train/thumbnails", "test/thumbnails", count=1)
    listing = list_photos(tmp_path)
    assert listing.classes == ("owl", "wren")
    assert len(listing.closed) == 2


@pytest.mark.parametrize("mark", ["INFO2", "desktop.ini", "Dc1.jpg", "S-1-5-21-7/0.jpg", "$R123.jpg"])
def test_a_recycle_bin_is_none_and_named_if_a_class_is_missing(tmp_path: Path, mark: str) -> None:
    fill(tmp_path, "Recycled", "landfill")
    (tmp_path / "Recycled" / mark).parent.mkdir(exist_ok=True)
    (tmp_path / "Recycled" / mark).touch()
    message = refusal(tmp_path)
    assert "one class only ('landfill')" in message
    assert "; not looked into: 'Recycled' (" in message
    assert message.endswith(" photos): rename what is a class")


def test_a_few_photos_are_no_class_by_such_a_name_but_named(tmp_path: Path) -> None:
    fill(fill(tmp_path, "landfill"), "thumbnails", count=1)
    assert "; not looked into: 'thumbnails' (1 photo): rename what is a class" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["Photos Library.photoslibrary", "Previews.lrdata", "CaptureOne", "files_trashbin"])
def test_libraries_of_photo_programs_are_no_classes(tmp_path: Path, name: str) -> None:
    root = fill(tmp_path, "owl", "wren", f"{name}/originals", f"owl/{name}/1")
    listing = list_photos(root)
    assert (listing.classes, len(listing.photos)) == (("owl", "wren"), 8)


# One folder deeper


@pytest.mark.parametrize("way", ["photos", "archive/photos", "my-photos-main/data/photos"])
def test_classes_one_folder_deeper_are_refused_with_the_folder_to_give(tmp_path: Path, way: str) -> None:
    fill(tmp_path, f"{way}/robin", f"{way}/wren", "__MACOSX/photos/robin")
    (tmp_path / "README.txt").touch()
    message = refusal(tmp_path)
    assert message.endswith(f"; or give {tmp_path / way}, which holds 'robin', 'wren'")
    assert list_photos(tmp_path / way).classes == ("robin", "wren")


def test_splits_one_folder_deeper_are_refused_with_the_folder_to_give(tmp_path: Path) -> None:
    fill(tmp_path, *(f"birds/{split}/{label}" for split in ("train", "test") for label in ("robin", "wren")))
    assert refusal(tmp_path).endswith(f"; or give {tmp_path / 'birds'}, which holds 'test', 'train'")


def test_a_folder_without_photos_beside_the_right_one_does_not_hide_it(tmp_path: Path) -> None:
    fill(tmp_path, "images/robin", "images/wren")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "1.xml").touch()
    message = refusal(tmp_path)
    assert "annotations: no photos" in message
    assert message.endswith(f"; or give {tmp_path / 'images'}, which holds 'robin', 'wren'")


def test_one_class_alone_gets_no_such_hint(tmp_path: Path) -> None:
    assert "or give" not in refusal(fill(tmp_path, "owl"))
    assert "or give" not in refusal(fill(tmp_path / "below", "archive/owl"))


def test_the_folder_of_one_class_names_the_folder_above(tmp_path: Path) -> None:
    assert "or give the folder above, if these are the photos of 'owl'" in refusal(fill(tmp_path, "owl") / "owl")


# Anything


_NAMES = st.one_of(
    st.sampled_from(
        [
            "train",
            "test",
            "TEST1",
            "val",
            "unknown",
            "@eaDir",
            "$RECYCLE.BIN",
            "photos",
            "a.jpg",
            "x.heic",
            ".h",
            "owl ",
        ]
    ),
    st.text(string.ascii_letters + "._-$#@ ~\u202e\n\u00e9", min_size=1, max_size=12).filter(
        lambda name: name not in (".", "..")
    ),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.lists(_NAMES, min_size=1, max_size=4), max_size=12))
def test_any_tree_of_names_is_a_listing_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, paths: list[list[str]]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for parts in paths:
        path = root.joinpath(*parts)
        if not any(parent.is_file() for parent in path.parents) and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    try:
        listing = list_photos(root, min_photos=0)
    except FieldfareError as error:
        assert error.exit_status in (65, 66)
        assert "\n" not in str(error)
        return
    assert all(name.isprintable() for name in listing.classes)
    assert all("\n" not in one.words() for one in listing.passed_over)
    counted = len(listing.photos) + listing.ignored
    assert counted <= sum(path.is_file() for path in root.rglob("*"))

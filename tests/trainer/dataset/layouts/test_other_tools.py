"""Folders as other tools lay them out are named, with what is expected; they are never learned as classes."""

from pathlib import Path

import pytest

from edge.errors import DatasetError
from trainer.dataset.listing import list_photos


def lay(root: Path, *files: str) -> Path:
    """Empty files: a listing goes by names alone. A name with * stands for five files."""
    for name in files:
        for number in range(5) if "*" in name else (0,):
            path = root / name.replace("*", str(number))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return root


def refusal(root: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        list_photos(root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("tool", "files"),
    [
        ("YOLO", ["images/*.jpg", "labels/*.txt"]),
        ("YOLO", ["images/train/*.jpg", "images/val/*.jpg", "labels/train/*.txt", "labels/val/*.txt", "data.yaml"]),
        ("YOLO", ["train/images/*.jpg", "train/labels/*.txt", "valid/images/*.jpg", "valid/labels/*.txt"]),
        ("YOLO", ["image/*.jpg", "label/*.txt"]),
        ("YOLO", ["archive/dataset/images/*.jpg", "archive/dataset/labels/*.txt", "archive/dataset/README.md"]),
        ("VOC", ["VOCdevkit/VOC2012/JPEGImages/*.jpg", "VOCdevkit/VOC2012/Annotations/*.xml"]),
        ("YOLO", ["Images/*.jpg", "Labels/*.txt", "notes/*.md"]),
        ("COCO", ["images/train2017/*.jpg", "annotations/instances_train2017.json"]),
        ("VOC", ["JPEGImages/*.jpg", "Annotations/*.xml", "ImageSets/Main/train.txt", "SegmentationClass/*.png"]),
        ("VOC", ["Data/CLS-LOC/*.jpg", "Annotations/CLS-LOC/*.xml", "ImageSets/CLS-LOC/train.txt"]),
        ("COCO", ["images/*.jpg", "annotations/trimaps/*.png"]),
        ("masks", ["images/*.jpg", "masks/*.png"]),
        ("masks", ["images/*.jpg", "ground_truth/*.png"]),
        ("boxes", ["imgs/*.jpg", "bounding_boxes/*.json"]),
    ],
)
def test_pictures_and_what_is_on_them_in_two_folders_are_no_classes(
    tmp_path: Path, tool: str, files: list[str]
) -> None:
    message = refusal(lay(tmp_path, *files))
    assert "are no classes but a layout of other tools" in message
    assert tool in message
    assert message.endswith(
        "put the photos of each class into a folder of its name, such as photos/owl and photos/wren"
    )


def test_classes_in_the_folder_of_pictures_name_it(tmp_path: Path) -> None:
    lay(tmp_path, "images/001.Owl/*.jpg", "images/002.Wren/*.jpg", "masks/001.Owl/*.png", "attributes/a.txt")
    assert refusal(tmp_path).endswith(f"give {tmp_path / 'images'}, which holds '001.Owl', '002.Wren'")
    assert list_photos(tmp_path / "images").classes == ("001.Owl", "002.Wren")


@pytest.mark.parametrize("table", ["labels.csv", "_classes.csv", "train.tsv", "metadata.jsonl", "images/_labels.csv"])
def test_classes_that_stand_in_a_table_are_not_read(tmp_path: Path, table: str) -> None:
    message = refusal(lay(tmp_path, "images/*.jpg", table))
    assert f"their classes in {Path(table).name!r}, which is not read: put the photos of each class" in message


def test_photos_beside_their_table_are_in_no_class(tmp_path: Path) -> None:
    assert "'labels.csv' beside them is not read" in refusal(lay(tmp_path, "*.jpg", "labels.csv"))


@pytest.mark.parametrize("record", ["birds-train.tfrecord-00000-of-00004", "train.rec", "data.lmdb", "x.h5", "x.npz"])
def test_records_of_other_tools_are_named(tmp_path: Path, record: str) -> None:
    assert f"holds records of another tool, such as {record!r}" in refusal(lay(tmp_path, record, "dataset_info.json"))


@pytest.mark.parametrize(
    "classes", [("image", "label"), ("mask", "no mask"), ("labels", "parcels"), ("images", "texts"), ("maps", "photos")]
)
def test_classes_of_such_names_are_classes(tmp_path: Path, classes: tuple[str, str]) -> None:
    assert list_photos(lay(tmp_path, *(f"{name}/*.jpg" for name in classes), "notes.csv")).classes == classes

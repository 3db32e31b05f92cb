"""Files of boxes as other tools write them, and files that are none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DatasetError, MissingInputError
from trainer.cropping.boxes import BoxFile, Given
from trainer.cropping.json_files import read_json
from trainer.cropping.reading import read_boxes
from trainer.cropping.tables import read_table

MEGADETECTOR: dict[str, Any] = {
    "images": [
        {
            "file": "cam1/a.jpg",
            "max_detection_conf": 0.9,
            "detections": [
                {"category": "1", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4], "classifications": [["0", 0.8]]},
                {"category": "2", "conf": 0.25, "bbox": [0, 0, 1, 1]},
            ],
        },
        {"file": "cam1/empty.jpg", "detections": []},
        {"file": "cam1/damaged.jpg", "failure": "image access", "detections": None},
    ],
    "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
    "info": {"format_version": "1.4"},
}
BOTH = "file,left,top,width,height,left_px,top_px,width_px,height_px"
COCO: dict[str, Any] = {
    "info": {},
    "images": [
        {"id": 7, "file_name": "a.jpg", "width": 640, "height": 480},
        {"id": "x", "file_name": "b.jpg"},
    ],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 3, "bbox": [64, 48, 320, 240], "iscrowd": 0, "area": 76800},
        {"id": 2, "image_id": "x", "category_id": 4},
    ],
    "categories": [{"id": 3, "name": "owl"}, {"id": 4, "name": "empty"}],
}


@pytest.fixture
def read(tmp_path: Path) -> Callable[[Any], BoxFile]:
    """Read a file of this content: JSON of what is no text."""

    def write_and_read(content: Any) -> BoxFile:
        path = tmp_path / "boxes"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_boxes(path)

    return write_and_read


Read = Callable[[Any], BoxFile]


class TestMegaDetector:
    def test_boxes_are_shares_with_the_names_of_their_categories(self, read: Read) -> None:
        found = read(MEGADETECTOR)
        assert (found.unit, found.main) == ("shares", "animal")
        assert found.entries["cam1/a.jpg"].boxes == [
            Given((0.1, 0.2, 0.3, 0.4), 0.9, "animal"),
            Given((0, 0, 1, 1), 0.25, "person"),
        ]
        assert found.entries["cam1/empty.jpg"].boxes == found.entries["cam1/damaged.jpg"].boxes == []

    def test_a_picture_that_megadetector_could_not_read_is_not_an_empty_one(self, read: Read) -> None:
        pictures = [
            {"file": "empty.jpg", "detections": []},
            {"file": "new.jpg", "failure": "image\x1b[2J access", "detections": None},
            {"file": "old.jpg", "failure": "Failure image access"},
            {"file": "both.jpg", "failure": "inference", "detections": []},
            {"file": "null.jpg", "detections": None},
        ]
        found = read({"images": pictures}).entries
        assert {name: entry.failure for name, entry in found.items()} == {
            "empty.jpg": "",
            "new.jpg": "image?[2J access",
            "old.jpg": "Failure image access",
            "both.jpg": "inference",
            "null.jpg": "no detections",
        }

    @pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
    def test_what_is_no_number_is_named(self, read: Read, value: str) -> None:
        text = json.dumps(MEGADETECTOR).replace("0.25", value)
        with pytest.raises(DatasetError, match=rf"has {value} in place of a number \(byte {text.index(value)}\)"):
            read(text)

    def test_boxes_in_pixels_are_refused(self, read: Read) -> None:
        pixels = {"images": [{"file": "a.jpg", "detections": [{"category": "1", "conf": 1, "bbox": [64, 48, 32, 24]}]}]}
        with pytest.raises(DatasetError, match=r"1 of 1 boxes are not in 0 to 1, as 64, 48, 32, 24: MegaDetector"):
            read(pixels)

    def test_scores_in_percent_are_refused(self, read: Read) -> None:
        percents = {
            "images": [{"file": "a.jpg", "detections": [{"category": "1", "conf": 90, "bbox": [0, 0, 0.5, 0.5]}]}]
        }
        with pytest.raises(DatasetError, match=r"a score \(conf\) of 90: must be 0 to 1: divide percents by 100"):
            read(percents)

    def test_one_odd_box_among_many_is_not_another_unit(self, read: Read) -> None:
        odd = json.loads(json.dumps(MEGADETECTOR))
        odd["images"][0]["detections"].append({"category": "1", "conf": 1, "bbox": [99, 0, 0.1, 0.1]})
        assert len(read(odd).entries["cam1/a.jpg"].boxes) == 3


class TestCoco:
    def test_boxes_are_pixels_of_pictures_of_a_size(self, read: Read) -> None:
        found = read(COCO)
        assert (found.unit, found.main) == ("pixels", None)
        entry = found.entries["a.jpg"]
        assert (entry.boxes, entry.size) == ([Given((64, 48, 320, 240), 1.0, "owl")], (640, 480))
        assert (found.entries["b.jpg"].boxes, found.entries["b.jpg"].size) == ([], None)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"bbox": [0.1, 0.1, 0.5, 0.5]}, "1 of 1 boxes are not in pixels, as 0.1, 0.1, 0.5, 0.5: COCO"),
            ({"bbox": [1, 2, 3]}, "annotation of image '7': a box must have 4 numbers"),
            ({"image_id": 8}, "annotation of image '8': no picture has that id"),
            ({"bbox": "all"}, r"not as MegaDetector or COCO write it: .* - at `\$.annotations\[0\].bbox`"),
        ],
    )
    def test_what_is_wrong_is_one_line(self, read: Read, change: dict[str, Any], message: str) -> None:
        with pytest.raises(DatasetError, match=message) as caught:
            read({**COCO, "annotations": [{**COCO["annotations"][0], **change}]})
        assert "\n" not in str(caught.value)

    def test_a_category_that_is_not_listed_has_no_name(self, read: Read) -> None:
        strange = {**COCO, "annotations": [{**COCO["annotations"][0], "category_id": 8}]}
        assert read(strange).entries["a.jpg"].boxes[0].category == ""
        assert read({**strange, "categories": []}).entries["a.jpg"].boxes[0].category == "8"

    def test_results_without_their_pictures_are_refused(self, read: Read) -> None:
        with pytest.raises(DatasetError, match="does not name its photos"):
            read([{"image_id": 7, "bbox": [1, 2, 3, 4], "score": 0.5, "category_id": 1}])


class TestTables:
    @pytest.mark.parametrize(
        ("text", "unit", "given"),
        [
            ("file,left,top,width,height\na.jpg,0.1,0.2,0.3,0.4\n", "shares", Given((0.1, 0.2, 0.3, 0.4), 1.0, "")),
            (
                "score;label;height_px;width_px;top_px;left_px;file\n0.5; owl ;40;30;20;10;a.jpg\n",
                "pixels",
                Given((10, 20, 30, 40), 0.5, "owl"),
            ),
            (
                "\ufefffile\tbox_left\tbox_top\tbox_width\tbox_height\na.jpg\t0\t0\t1\t1\n",
                "shares",
                Given((0, 0, 1, 1), 1.0, ""),
            ),
        ],
    )
    def test_columns_stand_in_any_order(self, read: Read, text: str, unit: str, given: Given) -> None:
        found = read(text)
        assert (found.unit, found.entries["a.jpg"].boxes) == (unit, [given])

    @pytest.mark.parametrize("line", ["0.1,0.2,0.3,0.4,64,96,192,192", "0.101,0.2,0.301,0.4,65,96,192,192", ",,,,,,,"])
    def test_columns_of_both_kinds_may_agree(self, read: Read, line: str) -> None:
        read(f"{BOTH}\na.jpg,{line}\n")

    @pytest.mark.parametrize(
        "line",
        [
            "0.1,0.2,0.3,0.4,64,96,256,288",  # the second are corners
            "0.1,0.2,0.3,0.4,0.1,0.2,0.3,0.4",  # no pixels
            "0.1,0.2,0.3,0.4,300,96,20,192",
            "0.1,0.2,0.3,0.4,,,,",
            ",,,,64,96,192,192",
        ],
    )
    def test_columns_of_both_kinds_that_contradict_each_other_are_refused(self, read: Read, line: str) -> None:
        message = "line 2: left,top,width,height and left_px,top_px,width_px,height_px are not the same box: correct"
        with pytest.raises(DatasetError, match=message):
            read(f"{BOTH}\na.jpg,{line}\n")

    def test_a_table_without_a_column_of_labels_has_that_reason(self, read: Read) -> None:
        assert read("file,left,top,width,height\na.jpg,0,0,1,1\n").no_label == "has no column 'label'"
        assert read("file,label,left,top,width,height\na.jpg,owl,0,0,1,1\n").no_label == ""

    def test_a_line_without_numbers_is_a_photo_without_a_box(self, read: Read) -> None:
        assert read("file,left,top,width,height\na.jpg,,,,\n").entries["a.jpg"].boxes == []

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("name,x,y\n", "has the columns 'name', 'x', 'y', must have file,left,top,width,height"),
            ("", "has the columns none"),
            ("file,left,top,width,height\na.jpg,0,0,1,wide\n", "line 2: 'wide' is not a number"),
            ("file,left,top,width,height\na.jpg,0,0,1,nan\n", "line 2: 'nan' is not a number"),
            ("file,left,top,width,height\na.jpg,0,0,1\n", "line 2: '' is not a number"),
            ("file,left,top,width,height\na.jpg,64,48,32,24\n", "not in 0 to 1, .*: name the columns left_px"),
            ("file,left_px,top_px,width_px,height_px\na.jpg,0,0,.5,.5\n", "not in pixels, .*: name the columns left"),
        ],
    )
    def test_what_is_wrong_is_one_line(self, read: Read, text: str, message: str) -> None:
        with pytest.raises(DatasetError, match=message):
            read(text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="nowhere: cannot read: No such file"):
        read_boxes(tmp_path / "nowhere")


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
def test_any_bytes_are_boxes_or_one_line(data: bytes) -> None:
    for reader in (read_json, read_table):
        try:
            assert isinstance(reader(Path("boxes"), data), BoxFile)
        except DatasetError as error:
            assert "\n" not in str(error)


@given(
    st.recursive(st.none() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_any_values_in_the_places_of_boxes_are_boxes_or_one_line(value: Any) -> None:
    for content in (
        {"images": value},
        {**COCO, "annotations": value},
        {"images": [{"file": "a", "detections": value}]},
    ):
        try:
            read_json(Path("boxes"), json.dumps(content).encode())
        except DatasetError as error:
            assert "\n" not in str(error)

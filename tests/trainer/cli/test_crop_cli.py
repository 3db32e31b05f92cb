"""fieldfare dataset crop, as its users run it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "edge"))  # tiny_models

Run = Callable[..., subprocess.CompletedProcess[str]]
SavePhoto = Callable[..., Path]
Paint = Callable[..., np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]


@pytest.fixture
def photos(tmp_path: Path, paint: Paint, save_photo: SavePhoto) -> Path:
    """Two classes of two photos, and boxes beside them as MegaDetector writes them."""
    rng, pictures = np.random.default_rng(0), []
    for name in ("owl/0.jpg", "owl/1.jpg", "wren/0.jpg", "wren/1.jpg"):
        save_photo(tmp_path / "photos" / name, paint(rng))
        found = [{"category": kind, "conf": 0.9, "bbox": [0.25, 0.25, 0.5, 0.5]} for kind in ("1", "2")]
        pictures.append({"file": name, "detections": found})
    boxes = {"images": pictures, "detection_categories": {"1": "animal", "2": "person"}}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    return tmp_path / "photos"


@pytest.fixture
def crop(run_fieldfare: Run, tmp_path: Path) -> Run:
    """Run the command with a relative output folder `parts` in `tmp_path`."""

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return run_fieldfare("dataset", "crop", *words, "--out", tmp_path / "parts")

    return run


def parts(tmp_path: Path) -> list[str]:
    return sorted(path.relative_to(tmp_path / "parts").as_posix() for path in (tmp_path / "parts").rglob("*@*"))


def test_animals_are_cut_and_people_are_not(photos: Path, tmp_path: Path, crop: Run) -> None:
    done = crop(photos, "--boxes", tmp_path / "boxes.json")
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/parts: 4 parts of 4 photos\n")
    assert "fieldfare: 4 boxes left out: of another kind" in done.stderr
    assert parts(tmp_path)[0] == "owl/0.jpg@24-18-48x36.jpg"


def test_entries_that_are_no_photos_and_photos_that_could_be_several_are_counted(
    photos: Path, tmp_path: Path, crop: Run
) -> None:
    lines = [f"{name},0.25,0.25,0.5,0.5" for name in ("owl/0.jpg", "a/owl/1.jpg", "b/owl/1.jpg", "gull/7.jpg")]
    (tmp_path / "boxes.csv").write_text("\n".join(["file,left,top,width,height", *lines]))
    done = crop(photos, "--boxes", tmp_path / "boxes.csv")
    assert done.returncode == 0, done.stderr
    assert parts(tmp_path) == ["owl/0.jpg@24-18-48x36.jpg"]
    assert "1 photo could be several entries of" in done.stderr
    assert "1 entry of" in done.stderr
    assert "3 of 4 photos are not named with the boxes" in done.stderr


def test_json_is_one_object(photos: Path, tmp_path: Path, crop: Run) -> None:
    done = crop(photos, "--boxes", tmp_path / "boxes.json", "--json", "--classes", "boxes", "--format", "png")
    report = json.loads(done.stdout)
    assert (report["photos"], report["parts"]) == (4, 4), "the person has the same box as the animal"
    assert parts(tmp_path)[0] == "animal/owl/0.jpg@24-18-48x36.png"


def test_classes_by_boxes_need_a_column_of_labels(photos: Path, tmp_path: Path, crop: Run) -> None:
    (tmp_path / "boxes.csv").write_text("file,left,top,width,height\nowl/0.jpg,0.25,0.25,0.5,0.5\n")
    for words in (("--classes", "boxes"), ("--category", "owl")):
        done = crop(photos, "--boxes", tmp_path / "boxes.csv", *words)
        assert done.returncode == 65
        assert f"{words[0]}" in done.stderr
        assert "boxes.csv has no column 'label': add one" in done.stderr


def test_boxes_cut_off_at_an_edge_and_failures_are_in_the_summary(photos: Path, tmp_path: Path, crop: Run) -> None:
    boxes = json.loads((tmp_path / "boxes.json").read_text())
    boxes["images"][0]["detections"][0]["bbox"] = [0.75, 0.25, 0.5, 0.5]
    boxes["images"][1] = {"file": "owl/1.jpg", "failure": "image access", "detections": None}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    done = crop(photos, "--boxes", tmp_path / "boxes.json")
    assert done.stdout == f"{tmp_path}/parts: 3 parts of 4 photos, 1 box cut off at an edge\n"
    assert "1 photo failed in what wrote the boxes" in done.stderr
    assert done.returncode == 65


def test_names_that_are_not_utf_8_are_names(photos: Path, tmp_path: Path, run_fieldfare: Run) -> None:
    (photos / "owl" / "0.jpg").rename(photos / "owl" / "caf\udce9.jpg")
    out = tmp_path / "p\udce9"
    done = run_fieldfare("dataset", "crop", photos, "--boxes", tmp_path / "boxes.json", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["not_named"] == 1


def test_a_detector_finds_the_boxes_itself(photos: Path, tmp_path: Path, crop: Run) -> None:
    make = pytest.importorskip("tiny_models").detector_model
    ones = np.ones((1, 1), np.float32)
    outputs = {"a": np.array([1], np.float32), "b": 0.8 * ones, "c": 3 * ones}
    model = tmp_path / "detector.tflite"
    model.write_bytes(make(**outputs, d=np.array([[[0.25, 0.25, 0.75, 0.75]]], np.float32)))
    done = crop(photos, "--detector", model)
    assert done.returncode == 0, done.stderr
    assert parts(tmp_path)[0] == "owl/0.jpg@24-18-48x36.jpg"


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--boxes", "boxes.json", "--category", "gull"], 2, "--category 'gull': --boxes"),
        (["--boxes", "boxes.json", "--detector", "x"], 2, "give one of --boxes and --detector"),
        (["--boxes", "nowhere.json"], 66, "nowhere.json: cannot read: No such file"),
        (["--detector", "nowhere.tflite"], 66, "nowhere.tflite: cannot read: No such file"),
        (["--detector", "boxes.json"], 65, "boxes.json: "),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(
    photos: Path, tmp_path: Path, crop: Run, words: list[str], status: int, message: str
) -> None:
    done = crop(photos, *[tmp_path / word if "." in word else word for word in words])
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["boxes.json", "photos"]


def test_a_model_that_crashes_takes_nothing_along(photos: Path, tmp_path: Path, crop: Run) -> None:
    (tmp_path / "bad.tflite").write_bytes(pytest.importorskip("tiny_models").crashing_model())
    done = crop(photos, "--detector", tmp_path / "bad.tflite")
    assert done.returncode == 65
    assert "bad.tflite: the process that ran it " in done.stderr
    assert not (tmp_path / "parts").exists()


def test_a_folder_that_is_not_of_parts_is_never_replaced(photos: Path, tmp_path: Path, crop: Run) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "mine.txt").write_text("mine")
    done = crop(photos, "--boxes", tmp_path / "boxes.json", "--overwrite")
    assert done.returncode == 73
    assert "holds no parts, so --overwrite leaves it alone" in done.stderr
    assert (tmp_path / "parts" / "mine.txt").read_text() == "mine"


def test_parts_are_not_cut_again_and_photos_not_overwritten(photos: Path, tmp_path: Path, run_fieldfare: Run) -> None:
    boxes = tmp_path / "boxes.json"
    inside = run_fieldfare("dataset", "crop", photos, "--boxes", boxes, "--out", photos / "parts")
    assert (inside.returncode, inside.stderr.count("\n")) == (73, 1)
    (photos / "fieldfare-crop.json").write_text("{}")
    again = run_fieldfare("dataset", "crop", photos, "--boxes", boxes, "--out", tmp_path / "parts")
    assert again.returncode == 65
    assert "holds parts of photos" in again.stderr

"""fieldfare dataset group, from photos to folders; colours stand for a network, so that no weights are needed."""

import json
from collections.abc import Callable
from pathlib import Path

import click.testing
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle.manifest import InputTensor, Preprocessing, Quantization
from trainer.cli.dataset import dataset


class Colours:
    """A network whose features are mean levels of a picture's four quarters."""

    name = "colours"
    channels = 12
    spec = Preprocessing(channel_order="rgb", resize="squash", mean=(0.0,) * 3, std=(1.0,) * 3)
    tensor = InputTensor(width=32, height=32, dtype="uint8", quantization=Quantization(scale=1.0, zero_point=0))

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        quarters = pixels.reshape(len(pixels), 2, 16, 2, 16, 3).mean(axis=(2, 4))
        return quarters.reshape(len(pixels), 12).astype(np.float32)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.features.opening.open_backbone", lambda *_: Colours())


def run(*words: str | Path) -> click.testing.Result:
    return click.testing.CliRunner().invoke(dataset, ["group", *map(str, words), "--workers", "1"])


def test_from_photos_to_folders(shapes: Callable[[Path, int], Path], tmp_path: Path) -> None:
    photos, out = shapes(tmp_path / "photos", 12), tmp_path / "sorted"
    before = sorted(path.relative_to(photos) for path in photos.rglob("*"))
    answer = run(photos, "--out", out, "--groups", "3", "--judge", "--json")
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout.splitlines()[-1])
    assert (found["groups"], found["photos"], found["unsure"]) == (3, 36, 0)
    assert 0 <= found["nmi"] <= 1
    assert 1 / 3 <= found["purity"] <= 1
    assert len(list(out.glob("group-*/*.jpg"))) == 36
    assert (out / "groups.html").read_text().count("data:image/jpeg") == 36
    assert sorted(path.relative_to(photos) for path in photos.rglob("*")) == before


def test_without_judging_there_are_no_figures_that_need_labels(
    shapes: Callable[[Path, int], Path], tmp_path: Path
) -> None:
    answer = run(shapes(tmp_path / "photos", 5), "--out", tmp_path / "out", "--method", "hdbscan", "--json")
    found = json.loads(answer.stdout.splitlines()[-1])
    assert (found["nmi"], found["ari"], found["purity"]) == (None, None, None)


def test_what_cannot_be_read_is_named_and_left_out(shapes: Callable[[Path, int], Path], tmp_path: Path) -> None:
    photos = shapes(tmp_path / "photos", 5)
    (photos / "red-disc" / "000.jpg").write_bytes(b"no photo")
    answer = run(photos, "--out", tmp_path / "out", "--groups", "2", "--json")
    found = json.loads(answer.stdout.splitlines()[-1])
    assert (found["photos"], found["unreadable"]) == (14, 1)
    assert "000.jpg" in answer.stderr


@pytest.mark.parametrize(
    ("out", "message"),
    [("photos/sorted", "choose a place outside"), ("photos", "exists"), (".", "exists")],
)
def test_the_photos_folder_is_never_written_to(
    shapes: Callable[[Path, int], Path], tmp_path: Path, out: str, message: str
) -> None:
    photos = shapes(tmp_path / "photos", 1)
    answer = run(photos, "--out", tmp_path / out)
    assert answer.exception is not None
    assert message in str(answer.exception)
    assert getattr(answer.exception, "exit_status", None) == 73
    assert not (photos / "sorted").exists()


@pytest.mark.parametrize(
    ("make", "words", "status", "message"),
    [
        (0, (), 66, "no photos there"),
        (0, ("--judge",), 65, "no class folders"),
        (2, ("--groups", "9"), 65, "must be 1 to"),
    ],
)
def test_what_cannot_be_done_ends_in_one_line_and_writes_nothing(
    shapes: Callable[[Path, int], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: int,
    words: tuple[str, ...],
    status: int,
    message: str,
) -> None:
    monkeypatch.setattr("edge.cli.apart.run_forked", lambda work: work())
    photos = shapes(tmp_path / "photos", make) if make else tmp_path / "photos"
    photos.mkdir(exist_ok=True)
    answer = run(photos, "--out", tmp_path / "out", *words)
    assert message in str(answer.exception) + answer.output
    assert getattr(answer.exception, "exit_status", answer.exit_code) == status
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_class_folders_without_photos_have_nothing_to_judge(tmp_path: Path) -> None:
    for name in ("owl", "kite"):
        (tmp_path / "photos" / name).mkdir(parents=True)
    answer = run(tmp_path / "photos", "--out", tmp_path / "out", "--judge")
    assert "no photos in class folders: leave out --judge" in str(answer.exception)


def test_no_such_folder(tmp_path: Path) -> None:
    answer = run(tmp_path / "absent", "--out", tmp_path / "out")
    assert getattr(answer.exception, "exit_status", None) == 66


def test_a_parameter_of_another_method_is_refused(tmp_path: Path) -> None:
    answer = run(tmp_path, "--out", tmp_path / "out", "--start", "3")
    assert answer.exit_code == 2
    assert "--start belongs to --method isodata" in answer.output


def test_isodata_begins_where_it_is_asked_to(shapes: Callable[[Path, int], Path], tmp_path: Path) -> None:
    photos = shapes(tmp_path / "photos", 12)
    answer = run(photos, "--out", tmp_path / "out", "--method", "isodata", "--groups", "4", "--start", "12", "--json")
    assert answer.exit_code == 0, answer.output
    assert 2 < json.loads(answer.stdout.splitlines()[-1])["groups"] < 8


@pytest.mark.parametrize(
    ("method", "each", "copies", "note"),
    [
        (
            "kmeans",
            1,
            1,
            "one group only: 3 different photos (near-duplicates count once) are too few to choose a number",
        ),
        ("hdbscan", 1, 1, "no group was found: 3 different photos (near-duplicates count once) are too few; --method"),
        ("kmeans", 0, 12, "one group only: all photos show the same: near-duplicates count once"),
        ("hdbscan", 0, 12, "no group was found: all photos show the same: near-duplicates count once"),
    ],
)
def test_why_there_are_no_groups(
    shapes: Callable[[Path, int], Path], tmp_path: Path, method: str, each: int, copies: int, note: str
) -> None:
    photos = shapes(tmp_path / "photos", 1)
    one = next(photos.rglob("*.jpg"))
    if not each:
        one = one.rename(photos / "one.jpg")
        for other in list(photos.glob("*/*.jpg")):
            other.unlink()
        for number in range(copies):
            (photos / f"copy-{number}.jpg").write_bytes(one.read_bytes())
    answer = run(photos, "--out", tmp_path / "out", "--method", method)
    assert answer.exit_code == 0, answer.output
    assert note in answer.stderr

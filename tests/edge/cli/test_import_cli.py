"""`fieldfare bundle import` as its users meet it: warnings, options, and models that abort a runtime."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from handmade_models import classifier, metadata

from edge.bundle.store import open_bundle

pytestmark = pytest.mark.process

Run = Callable[..., subprocess.CompletedProcess[str]]
Import = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def bring(run_fieldfare: Run, tmp_path: Path) -> Import:
    """Import a handmade model; the output is `out`."""

    def run(model: bytes, *words: str) -> subprocess.CompletedProcess[str]:
        path, labels, out = tmp_path / "model.tflite", tmp_path / "labels.txt", tmp_path / "out"
        path.write_bytes(model)
        labels.write_text("red\ngreen\nblue\n")
        options = ["--labels", labels, "--channel-order", "rgb", "--out", out]
        return run_fieldfare("bundle", "import", path, *options, *words)

    return run


def test_a_model_that_aborts_a_kernel_is_one_line(bring: Import, tmp_path: Path) -> None:
    done = bring(classifier(weight=0), "--normalize=-1..1", "--resize", "squash")
    assert (done.returncode, done.stdout) == (65, "")
    assert len(done.stderr.splitlines()) == 1
    assert "model.tflite: the runtime's reference kernels died of SIGABRT" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_doubtful_answer_is_a_warning_and_a_good_one_prints_nothing_else(bring: Import, tmp_path: Path) -> None:
    done = bring(classifier(), "--normalize=0..1", "--resize", "letterbox", "--pad", "0")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("fieldfare: warning: ")
    assert "contradict each other" in line
    assert open_bundle(tmp_path / "out").manifest.preprocessing.pad == 0
    done = bring(classifier(), "--normalize=-1..1", "--resize", "crop", "--crop-fraction", "0.875", "--overwrite")
    assert (done.returncode, done.stderr) == (0, "")
    assert open_bundle(tmp_path / "out").manifest.preprocessing.crop_fraction == 0.875


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--resize", "crop", "--crop-fraction", "nan"], 2, "'nan': must be a number above 0, to 1"),
        (["--resize", "crop", "--crop-fraction", "1.5"], 2, "must be a number above 0, to 1"),
        (["--resize", "letterbox", "--pad", "256"], 2, "0<=x<=255"),
        (["--resize", "squash", "--pad", "0"], 78, "--pad 0 needs --resize letterbox, not squash"),
        (["--resize", "squash", "--normalize=nan,1"], 2, "mean nan, must be a number from"),
        (["--resize", "squash", "--normalize=0..255"], 65, "--normalize=-1..1 fits"),
    ],
)
def test_wrong_answers_are_refused(bring: Import, tmp_path: Path, words: list[str], status: int, message: str) -> None:
    given = words if any("normalize" in word for word in words) else [*words, "--normalize=-1..1"]
    done = bring(classifier(), *given)
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_violet_picture_is_blue_without_a_softmax(bring: Import, run_fieldfare: Run, tmp_path: Path) -> None:
    """The whole way: a swish inside must not make the outputs probabilities."""
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (64, 64), (150, 128, 165)).save(tmp_path / "violet.png")
    assert bring(classifier(gate="LOGISTIC", ending=()), "--normalize=-1..1", "--resize", "squash").returncode == 0
    done = run_fieldfare("classify", tmp_path / "out", tmp_path / "violet.png", "--json")
    answer = json.loads(done.stdout)
    assert answer["label"] == "blue"
    assert 0.4 < answer["score"] < 0.99


def test_labels_and_normalization_of_metadata_need_no_option(run_fieldfare: Run, tmp_path: Path) -> None:
    given = metadata(label_files=[("names.csv", ""), ("fr.txt", "fr")])
    packed = {"fr.txt": b"rouge\nvert\nbleu\n", "names.csv": b"id,name\n2,blue\n0,red\n1,green\n"}
    (tmp_path / "m.tflite").write_bytes(classifier(metadata=given, packed=packed))
    words = ["--resize", "squash", "--out", tmp_path / "out"]
    assert run_fieldfare("bundle", "import", tmp_path / "m.tflite", *words).returncode == 0
    assert open_bundle(tmp_path / "out").labels == ("red", "green", "blue")

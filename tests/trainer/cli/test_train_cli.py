"""fieldfare train: what it refuses, and how soon. Whole trainings are in test_train.py."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click
import pytest

from edge.errors import MissingInputError, MissingPackageError, ModelError
from trainer.cli import train as cli
from trainer.networks.families import Network
from trainer.options import Options
from trainer.progress import Advance
from trainer.train import train

Run = Callable[..., subprocess.CompletedProcess[str]]

HEAVY = ("tensorflow", "keras", "sklearn", "rich", "cv2")


class Silent:
    """A Progress that shows nothing."""

    def stage(self, title: str, total: int) -> AbstractContextManager[Advance]:
        return nullcontext(lambda _: None)

    def say(self, text: str) -> None:
        pass


def fill(root: Path, **counts: int) -> Path:
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            (root / name / f"{number}.jpg").touch()
    return root


def test_help_shows_an_example_and_loads_no_heavy_library() -> None:
    code = (
        "import sys\n"
        "from edge.cli import cli\n"
        "cli.main(['train', '--help'], standalone_mode=False)\n"
        f"print('loaded:', sorted(set(sys.modules) & set({HEAVY})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Example: fieldfare train" in done.stdout
    assert done.stdout.endswith("loaded: []\n")


@pytest.mark.parametrize("out", ["a-directory", "a-file.fieldfare"])
def test_an_output_that_exists_is_refused_before_anything_else(tmp_path: Path, run_fieldfare: Run, out: str) -> None:
    """Even before the photos are looked for; and it stays as it was."""
    if out == "a-directory":
        (tmp_path / out).mkdir()
        (tmp_path / out / "mine.txt").write_text("keep")
    else:
        (tmp_path / out).write_text("keep")
    done = run_fieldfare("train", tmp_path / "no-photos", "--out", tmp_path / out)
    assert done.returncode == 73
    assert done.stderr.rstrip().endswith(f"{out} exists: choose another name or add --overwrite")
    assert done.stderr.count("\n") == 1
    assert {path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == {"keep"}


@pytest.mark.parametrize("out", ["photos/bundle", "photos/owl/bundle.fieldfare", "."])
def test_a_bundle_is_not_written_among_the_photos_nor_over_them(tmp_path: Path, run_fieldfare: Run, out: str) -> None:
    photos = fill(tmp_path / "photos", owl=5, wren=5)
    done = run_fieldfare("train", photos, "--out", tmp_path / out, "--overwrite")
    assert done.returncode == 73
    assert done.stderr.count("\n") == 1
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 10


def test_training_the_head_of_a_network_without_weights_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="--epochs 0 trains the head only"):
        words = [str(tmp_path), "--out", str(tmp_path / "bundle"), "--weights", "none", "--epochs", "0"]
        cli.train.main(words, standalone_mode=False)


@pytest.mark.parametrize(
    "words", [["--compiler", "edgetpu_compiler"], ["--allow-partial"], ["--teachable"]], ids=" ".join
)
def test_options_of_the_compiler_without_edgetpu_are_wrong_usage(tmp_path: Path, words: list[str]) -> None:
    with pytest.raises(click.UsageError, match="--compiler, --teachable and --allow-partial are for --edgetpu"):
        cli.train.main([str(tmp_path), "--out", str(tmp_path / "bundle"), *words], standalone_mode=False)


def test_a_model_cannot_be_teachable_and_mapped_in_part(tmp_path: Path) -> None:
    words = [str(tmp_path), "--out", str(tmp_path / "bundle"), "--edgetpu", "--teachable", "--allow-partial"]
    with pytest.raises(click.UsageError, match="exclude each other"):
        cli.train.main(words, standalone_mode=False)


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ("gray", "'gray' is unknown; did you mean grey?"),
        ("grey,", "'' is unknown"),
        ("grey,GREY", "'grey' is there twice"),
        ("equalize,clahe", "exclude each other"),
    ],
)
def test_preparations_that_cannot_be_done_are_wrong_usage(tmp_path: Path, steps: str, fault: str) -> None:
    with pytest.raises(click.UsageError) as found:
        cli.train.main([str(tmp_path), "--out", str(tmp_path / "x"), "--prepare", steps], standalone_mode=False)
    assert fault in found.value.message
    assert "\n" not in found.value.format_message()


def test_missing_photos_are_told_with_status_66(tmp_path: Path, run_fieldfare: Run) -> None:
    done = run_fieldfare("train", tmp_path / "nowhere", "--out", tmp_path / "bundle", "--json")
    assert done.returncode == 66
    assert done.stderr.startswith(f"fieldfare: {tmp_path}/nowhere: no such folder")
    assert done.stdout == ""


def test_a_folder_that_cannot_be_trained_on_is_told_with_status_65(tmp_path: Path, run_fieldfare: Run) -> None:
    done = run_fieldfare("train", fill(tmp_path / "photos", owl=5), "--out", tmp_path / "bundle")
    assert done.returncode == 65
    assert "one class only ('owl')" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "bundle").exists()


def test_weights_that_are_not_there_are_told_before_the_photos_are_read(tmp_path: Path, run_fieldfare: Run) -> None:
    """The photos are empty files: had they been read first, the error would be about them."""
    photos = fill(tmp_path / "photos", owl=5, wren=5)
    done = run_fieldfare("train", photos, "--out", tmp_path / "bundle", "--weights", tmp_path / "none.h5")
    assert done.returncode == 66
    assert "none.h5: cannot read: No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", ["/dev/zero", "pipe.h5", "folder.h5", "huge.h5"])
def test_weights_that_are_no_small_file_are_refused_before_tensorflow_is_loaded(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes seconds to load; the folder of photos is not there, and not looked at either."""
    os.mkfifo(tmp_path / "pipe.h5")
    (tmp_path / "folder.h5").mkdir()
    with (tmp_path / "huge.h5").open("wb") as file:
        file.truncate(1 << 34)
    for name in ("tensorflow", "keras"):
        monkeypatch.setitem(sys.modules, name, None)
    options = Options(tmp_path / "photos", tmp_path / "bundle", Network("mobilenet_v2", 0.35, 96), str(tmp_path / kind))
    with pytest.raises((ModelError, MissingInputError), match=rf"weights {tmp_path / kind}: (not a plain file|cannot)"):
        train(options, Silent())


def test_photos_outside_of_which_none_can_be_read_are_told_before_learning(tmp_path: Path, run_fieldfare: Run) -> None:
    """The photos of the classes are empty files, and have not been looked at yet."""
    photos = fill(tmp_path / "photos", owl=5, wren=5)
    strangers = fill(tmp_path, strangers=2) / "strangers"
    words = ("--weights", "none", "--size", 32, "--outside", strangers)
    done = run_fieldfare("train", photos, "--out", tmp_path / "bundle", *words)
    assert done.returncode == 65
    message = done.stderr.strip().splitlines()[-1]
    assert f"--outside {strangers}: not one of 2 photos can be read ({strangers}/0.jpg: empty file" in message
    assert message.endswith("repair them, or train without --outside")
    assert "Traceback" not in done.stderr


def test_a_group_by_that_finds_nothing_is_told_before_the_photos_are_read(tmp_path: Path, run_fieldfare: Run) -> None:
    photos = fill(tmp_path / "photos", owl=5, wren=5)
    done = run_fieldfare("train", photos, "--out", tmp_path / "bundle", "--group-by", "name:nowhere")
    assert done.returncode == 65
    assert "found in no file name" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["--size", "31"],
        ["--size", "321"],
        ["--alpha", "0"],
        ["--alpha", "nan"],
        ["--time-budget", "nan"],
        ["--min-precision", "nan"],
        ["--epochs", "-1"],
        ["--seed", "-1"],
        ["--workers", "0"],
        ["--arch", "mobilenet_v3"],
        ["--resize", "stretch"],
    ],
    ids=" ".join,
)
def test_options_out_of_range_are_wrong_usage(words: list[str]) -> None:
    with pytest.raises(click.BadParameter) as caught:
        cli.train.main(["photos", "--out", "bundle", *words], standalone_mode=False)
    assert caught.value.param.opts == [words[0]]


def test_the_output_must_be_named() -> None:
    with pytest.raises(click.MissingParameter) as caught:
        cli.train.main(["photos"], standalone_mode=False)
    assert caught.value.param.opts == ["--out"]


def test_a_device_without_the_trainers_libraries_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find_spec(name))
    with pytest.raises(MissingPackageError, match=r"training needs matplotlib: pip install '\.\[train\]'"):
        cli.train.main([str(tmp_path), "--out", str(tmp_path / "bundle")], standalone_mode=False)

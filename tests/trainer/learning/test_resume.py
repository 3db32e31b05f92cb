"""A training that is killed, at whatever moment, goes on when the same command is given again. All slow."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edge.bundle.store import open_bundle

Command = Callable[..., list[str]]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# A checkpoint at every step, as if each took a minute, so that epochs are cut in two, too.
EVERY_STEP = """
import trainer.learning.fit
trainer.learning.fit.CHECKPOINT_S = 0.0
from edge.cli import main
main()
"""

# A power cut at one moment: the process ends there and then, whatever was to be tidied up.
KILLED_AT = """
import os, signal
import edge.storage, trainer.train

def die(*words, **options):
    os.kill(os.getpid(), signal.SIGKILL)

{}
from edge.cli import main
main()
"""
HALF_WRITTEN = """
write = edge.storage._write_synced
edge.storage._write_synced = lambda path, data: die() if path.name == "labels.txt" else write(path, data)
"""
BEFORE_IT_IS_IN_PLACE = """
sync = edge.storage._sync_directory
edge.storage._sync_directory = lambda path: die() if path.name == "new" else sync(path)
"""

# The lines of progress after which it is killed, and how many seconds later at most. Epochs and the writing of
# the bundle are over within tenths of a second.
MOMENTS = [
    ("reading photos", 0.3),
    ("features", 1.0),
    ("head (", 0.2),
    ("head on frozen features", 1.0),
    ("training", 2.0),
    ("epoch", 0.3),
    ("epoch", 0.3),
    ("rounding weights", 3.0),
    ("quantizing", 2.0),
    ("measuring", 0.2),
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, shapes: Callable[[Path, int], Path]) -> Path:
    """Make 180 photos of three coloured shapes."""
    return shapes(tmp_path_factory.mktemp("photos") / "shapes", 60)


@pytest.fixture(scope="module")
def command(photos: Path, v2_weights: Path) -> Command:
    """Build the words of a training of 18 steps in 6 epochs: (out, more options) -> words."""

    def words(out: Path, *more: object) -> list[str]:
        options = ("--weights", v2_weights, "--size", 32, "--epochs", 6, "--json")
        return [str(word) for word in ("train", photos, "--out", out, *options, *more)]

    return words


@pytest.fixture(scope="module")
def uninterrupted(command: Command, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Run the training without interruption; return its report, its model's hash and its report page."""
    out = tmp_path_factory.mktemp("uninterrupted") / "shapes"
    done = run(command(out))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["best_epoch"] > 0, "fine-tuning must decide, or nothing of its state would be looked at"
    return SimpleNamespace(report=report, model=model_hash(out), page=json.loads(page_of(out).read_text()))


def run(words: list[str], code: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(python(words, code), capture_output=True, text=True, check=False, timeout=240)


def python(words: list[str], code: str | None) -> list[str]:
    return [sys.executable, *(["-m", "edge"] if code is None else ["-c", code]), *words]


def page_of(out: Path) -> Path:
    return out.with_name(f"{out.name}-report.json")


def model_hash(out: Path) -> str:
    return hashlib.sha256(open_bundle(out).model).hexdigest()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def killed_after(words: list[str], lines: tuple[str, ...], delay_s: float, code: str | None = None) -> list[str]:
    """Run until a line of progress begins with one of `lines`, and SIGKILL `delay_s` later; return the lines read."""
    said: list[str] = []
    with subprocess.Popen(python(words, code), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        guard = threading.Timer(240, process.kill)
        guard.start()
        try:
            for line in process.stderr:
                said.append(line)
                if line.startswith(lines):
                    break
            else:
                pytest.fail(f"it ended before any of {lines}: {said}")
            threading.Event().wait(delay_s)
            assert process.poll() is None, "it ended before it could be killed"
        finally:
            guard.cancel()
            process.kill()
    return said


def test_killed_ten_times_it_ends_as_if_it_had_been_left_alone(
    command: Command, uninterrupted: SimpleNamespace, tmp_path: Path
) -> None:
    """Each run is killed at a later moment than the one before, and goes on from what that one left."""
    out, delays = tmp_path / "shapes", np.random.default_rng(11)
    said: list[str] = []
    for number, (_, latest_s) in enumerate(MOMENTS):
        # Or any later line: a checkpoint may have been reached meanwhile.
        lines = tuple(line for line, _ in MOMENTS[number:])
        said += killed_after(command(out), lines, float(delays.uniform(0, latest_s)), EVERY_STEP)
        assert not out.exists() or open_bundle(out), "never half there"
        assert (tmp_path / "shapes.training").is_dir()

    done = run(command(out), EVERY_STEP)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["test_top1_int8"] == uninterrupted.report["test_top1_int8"]
    assert report["best_epoch"] == uninterrupted.report["best_epoch"]
    assert model_hash(out) == uninterrupted.model
    assert json.loads(page_of(out).read_text())["history"] == uninterrupted.page["history"]
    assert names_in(tmp_path) == ["shapes", "shapes-report.html", "shapes-report.json"]
    assert any("going on after" in line for line in said)


def test_killed_while_the_bundle_is_written_it_leaves_none_and_the_next_run_tidies_up(
    command: Command, tmp_path: Path
) -> None:
    """It is killed once with half of its files written, and once with all of them, not yet in place."""
    out = tmp_path / "shapes"
    for moment in (HALF_WRITTEN, BEFORE_IT_IS_IN_PLACE):
        killed = run(command(out, "--epochs", 0), KILLED_AT.format(moment))
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert not out.exists()
        left = [name for name in names_in(tmp_path) if name.endswith(".partial")]
        assert len(left) == 1, "it was killed too early, or the litter grows"

    done = run(command(out, "--epochs", 0))
    assert done.returncode == 0, done.stderr
    assert open_bundle(out).bundle_id == json.loads(done.stdout)["bundle_id"]
    assert names_in(tmp_path) == ["shapes", "shapes-report.html", "shapes-report.json"]


# A training that was killed in its second epoch


@pytest.fixture(scope="module")
def killed_once(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of what it left behind."""
    out = tmp_path_factory.mktemp("killed") / "shapes"
    killed_after(command(out), ("epoch 1",), 0.0, EVERY_STEP)
    return out.parent


@pytest.fixture
def unfinished(killed_once: Path, tmp_path: Path) -> Path:
    """Return the bundle-to-be of a copy of that training, ready to be finished."""
    shutil.copytree(killed_once, tmp_path, dirs_exist_ok=True)
    return tmp_path / "shapes"


def test_what_was_reached_is_not_computed_again(
    command: Command, unfinished: Path, uninterrupted: SimpleNamespace
) -> None:
    done = run(command(unfinished))
    assert done.returncode == 0, done.stderr
    assert "going on after " in done.stderr
    assert "features" not in done.stderr.replace("frozen features", "")
    assert "epoch 1:" not in done.stderr
    assert model_hash(unfinished) == uninterrupted.model


def test_restart_throws_it_away_and_begins_anew(
    command: Command, unfinished: Path, uninterrupted: SimpleNamespace
) -> None:
    done = run(command(unfinished, "--restart"))
    assert done.returncode == 0, done.stderr
    assert "going on after" not in done.stderr
    assert "epoch 1:" in done.stderr
    assert model_hash(unfinished) == uninterrupted.model
    assert names_in(unfinished.parent) == ["shapes", "shapes-report.html", "shapes-report.json"]


@pytest.mark.parametrize(
    ("words", "difference"),
    [
        (["--epochs", 7], "another epochs (6, now 7)"),
        (["--class-weights", "balanced"], "another class weights (none, now balanced)"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_other_options_are_refused_and_leave_it_as_it_was(
    command: Command, unfinished: Path, words: list[str | int], difference: str
) -> None:
    before = {path: path.read_bytes() for path in unfinished.with_name("shapes.training").iterdir()}
    done = run(command(unfinished, *words))
    assert done.returncode == 73, done.stderr
    assert difference in done.stderr
    assert "--restart" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in unfinished.with_name("shapes.training").iterdir()} == before


def test_a_second_training_in_the_same_place_is_refused_while_the_first_runs(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "shapes"
    words = python(command(out, "--epochs", 5000), None)
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as first:
        guard = threading.Timer(240, first.kill)
        guard.start()
        try:
            assert any(line.startswith("reading photos") for line in first.stderr)
            second = run(command(out, "--epochs", 5000))
            assert first.poll() is None
        finally:
            guard.cancel()
            first.kill()
    assert second.returncode == 73, second.stderr
    assert "shapes.training: another training is running there" in second.stderr


def test_ctrl_c_leaves_what_was_reached(command: Command, tmp_path: Path) -> None:
    """It ends with 130, as any interrupted program, and leaves no bundle, no temporary files and no traceback."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    words = python(command(tmp_path / "shapes", "--epochs", 5000), None)
    with subprocess.Popen(
        words,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(scratch)},
        # Tests started in the background inherit an ignored SIGINT, and so would the training.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        guard = threading.Timer(240, process.kill)
        guard.start()
        try:
            said = ""
            for line in process.stderr:
                said += line
                if line.startswith("epoch 1:"):
                    process.send_signal(signal.SIGINT)
            process.wait(60)
        finally:
            guard.cancel()
            process.kill()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert names_in(tmp_path) == ["scratch", "shapes.training"]
    assert names_in(scratch) == []

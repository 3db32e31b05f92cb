"""A bundle's model takes no command along: whatever it does, there is one line and status 65."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from tiny_models import (
    TRIGGER,
    bundle_of,
    crashing_model,
    greedy_model,
    model_that_hangs_on,
    picture,
    sound_model,
)

from edge.bundle.store import Bundle

pytestmark = pytest.mark.process

Run = Callable[..., subprocess.CompletedProcess[str]]
COMMANDS = {
    "verify": ["bundle", "verify", "{bundle}"],
    "classify": ["classify", "{bundle}", "{picture}"],
    "bench": ["bench", "--bundle", "{bundle}", "--seconds", "1"],
}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), picture(TRIGGER))
    return path


def words(command: str, bundle: Bundle, photo: Path) -> list[str]:
    return [word.format(bundle=bundle.path, picture=photo) for word in COMMANDS[command]]


def impatient(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with a second for a model."""
    code = (
        "import edge.inference.model_limits as limits; limits.TIMEOUT_S = 1\nfrom edge.cli import main\n"
        f"import sys; sys.argv = ['fieldfare', *{list(words)!r}]\nmain()"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 65, done
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_sound_one_runs_without_a_word(run_fieldfare: Run, tmp_path: Path, photo: Path, command: str) -> None:
    done = run_fieldfare(*words(command, bundle_of(sound_model(), tmp_path / "b"), photo))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_crash_is_one_line(run_fieldfare: Run, tmp_path: Path, photo: Path, command: str) -> None:
    done = run_fieldfare(*words(command, bundle_of(crashing_model(), tmp_path / "b"), photo))
    assert f"bundle {tmp_path}/b: the process that ran its model died of SIGABRT: damaged model" in one_line(done)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_hang_is_one_line(tmp_path: Path, photo: Path, command: str) -> None:
    done = impatient(*words(command, bundle_of(model_that_hangs_on(None), tmp_path / "b"), photo))
    assert f"bundle {tmp_path}/b: no answer within 1 s: not a usable model" in one_line(done)


def test_so_is_one_at_a_picture_that_no_golden_input_is_like(tmp_path: Path, photo: Path) -> None:
    bundle = bundle_of(model_that_hangs_on(TRIGGER), tmp_path / "b")
    assert impatient(*words("verify", bundle, photo)).returncode == 0
    assert "no answer within 1 s" in one_line(impatient(*words("classify", bundle, photo)))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_model_without_measure_is_refused(run_fieldfare: Run, tmp_path: Path, photo: Path, command: str) -> None:
    done = run_fieldfare(*words(command, bundle_of(greedy_model(2), tmp_path / "b"), photo))
    assert f"bundle {tmp_path}/b: " in one_line(done)
    assert "refused the model" in done.stderr


def test_results_before_the_crash_are_there(tmp_path: Path, photo: Path) -> None:
    other = tmp_path / "other.png"
    cv2.imwrite(str(other), picture(9))
    bundle = bundle_of(model_that_hangs_on(TRIGGER), tmp_path / "b")
    done = impatient("classify", str(bundle.path), str(other), str(photo), "--json")
    one_line(done)
    assert done.stdout.count("\n") == 1
    assert done.stdout.endswith("}\n")


def test_two_bundles_are_both_named(run_fieldfare: Run, tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    sound, other = bundle_of(sound_model(), tmp_path / "a").path, bundle_of(crashing_model(), tmp_path / "b").path
    for label in ("red", "green"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(2):
            cv2.imwrite(str(tmp_path / "photos" / label / f"{number}.png"), picture(50 * number))
    done = run_fieldfare("compare", sound, other, tmp_path / "photos")
    assert done.returncode == 65
    assert f"bundle {sound} or {other}: the process that ran its model died of SIGABRT" in done.stderr

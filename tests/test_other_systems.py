"""The trainer's commands on a system without what only Linux has: tests/like_windows makes this one look so."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

LIKE_WINDOWS = Path(__file__).resolve().parent / "like_windows"
PROBE = """
import os, pathlib, tempfile
__spec__ = __import__("importlib.machinery").machinery.ModuleSpec("trainer.probe", None)
import os, signal, select, socket
assert not {"fork", "pread", "O_DIRECTORY"} & set(dir(os)), "of os"
assert not {"SIGKILL", "SIGHUP", "setitimer"} & set(dir(signal)), "of signal"
assert not hasattr(select, "poll") and not hasattr(socket, "AF_UNIX")
for module in ("fcntl", "resource", "pwd", "grp", "termios"):
    try:
        exec(f"import {module}")
    except ImportError:
        continue
    raise AssertionError(module)
path = pathlib.Path(tempfile.mkdtemp(), "file")
with path.open("w"):
    try:
        path.unlink()
    except PermissionError:
        pass
    else:
        raise AssertionError("removed while it was open")
path.unlink()
"""
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def away(tmp_path: Path) -> Run:
    """Run `fieldfare` there, with the temporary folder in tmp_path / "tmp"."""
    (tmp_path / "tmp").mkdir()
    variables = {**os.environ, "PYTHONPATH": str(LIKE_WINDOWS), "TMPDIR": str(tmp_path / "tmp")}

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *map(str, words)] if words[0] == "-c" else [sys.executable, "-m", "edge", *words]
        return subprocess.run(
            list(map(str, command)),
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
            stdin=subprocess.DEVNULL,
        )

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of twelve noisy photos each."""
    rng = np.random.default_rng(1)
    for name, colour in (("moss", (60, 160, 60)), ("rust", (170, 80, 40))):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(12):
            pixels = np.clip(np.array(colour) + rng.integers(-80, 80, (64, 64, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


@pytest.mark.process
def test_what_linux_alone_has_is_hidden(away: Run) -> None:
    assert away("-c", PROBE).stderr == ""


@pytest.mark.process
def test_help_lists_every_command(away: Run) -> None:
    shown = away("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    for command in ("train", "dataset", "compile", "classify", "embed", "compare", "run"):
        assert f"\n  {command} " in shown.stdout


@pytest.mark.process
@pytest.mark.parametrize("command", ["train", "dataset pick", "dataset crop", "compile", "bundle import", "embed"])
def test_each_has_its_own_help(away: Run, command: str) -> None:
    assert away(*command.split(), "--help").returncode == 0


@pytest.mark.process
def test_photos_are_checked_and_nothing_is_left(away: Run, photos: Path, tmp_path: Path) -> None:
    checked = away(
        "dataset", "check", photos, "--json", "--report", tmp_path / "page.html", "--group-by", "name:^(\\d)"
    )
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["photos"] == 24
    assert (tmp_path / "page.html").stat().st_size > 1000
    assert "note: this system has no limit on memory, no process apart for models, no alarm" in checked.stderr
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.process
def test_a_damaged_photo_is_one_line(away: Run, photos: Path) -> None:
    (photos / "moss" / "0.png").write_bytes((photos / "moss" / "1.png").read_bytes()[:300])
    checked = away("dataset", "check", photos, "--json")
    assert checked.returncode == 0, checked.stderr
    assert "moss/0.png" in checked.stdout


@pytest.mark.process
@pytest.mark.parametrize("command", ["run", "status", "doctor", "events", "outputs"])
def test_what_is_the_devices_is_refused_in_one_line(away: Run, command: str) -> None:
    refused = away(command)
    assert (refused.returncode, refused.stdout) == (69, "")
    assert refused.stderr.startswith(f"fieldfare: {command} needs Linux, as it is the device's: ")
    assert len(refused.stderr.splitlines()) == 1
    assert away(command, "--help").returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_photos_become_a_bundle_that_is_used(away: Run, photos: Path, tmp_path: Path) -> None:
    options = ("--weights", "none", "--epochs", 1, "--size", 32)
    bundle = tmp_path / "bundle"
    trained = away("train", photos, "--out", bundle, *options)
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / "bundle-report.html").is_file()
    assert list((tmp_path / "tmp").iterdir()) == []
    again = away("train", photos, "--out", bundle, *options)
    assert again.returncode == 73
    assert away("bundle", "verify", bundle).returncode == 0
    packed = away("bundle", "pack", bundle)
    assert packed.returncode == 0, packed.stderr
    judged = away("check-edgetpu", tmp_path / "bundle.fieldfare")
    assert (judged.returncode, judged.stderr) == (0, "")
    named = away("classify", bundle, photos / "rust", "--json")
    assert named.returncode == 0, named.stderr
    assert len(named.stdout.splitlines()) == 12
    assert away("embed", photos, "--bundle", bundle, "--out", tmp_path / "features.npy").returncode == 0
    assert away("compare", bundle, tmp_path / "bundle.fieldfare", photos).returncode == 0
    labels = tmp_path / "labels.txt"
    labels.write_text("moss\nrust\n")
    how = ("--labels", labels, "--resize", "squash", "--normalize", "-1..1", "--channel-order", "rgb")
    imported = away("bundle", "import", bundle / "model.tflite", *how, "--out", tmp_path / "imported")
    assert imported.returncode == 0, imported.stderr
    refused = away("compile", bundle, "--compiler", f"{sys.executable} -c 'raise SystemExit(1)'")
    assert refused.returncode == 65
    assert "the compiler refused the model" in refused.stderr

"""The command `fieldfare classify` on a Pi's processors, emulated: as good as here."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bench_runs import Ran

from edge.bundle.store import Bundle

pytestmark = [pytest.mark.bench, pytest.mark.slow, pytest.mark.timeout(900)]

# On these the best label leads by more than runtimes differ.
PHOTOS = ("parrot.jpg", "bird.bmp", "sunflower.bmp")
_RUN = """
import platform, runpy, sys
print(platform.machine(), file=sys.stderr)
sys.argv = ["fieldfare", "classify", "/bench/bundle", *{photos}, "--json"]
runpy.run_module("edge", run_name="__main__")
"""


_PREPARE = """
import hashlib, sys
import numpy as np
from edge.bundle.preparation import STEPS
from edge.preparation.steps import Preparation
scene = np.random.default_rng(0).integers(0, 256, (28, 28, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
scene = scene // 2 + np.random.default_rng(1).integers(0, 40, scene.shape, dtype=np.uint8)
for steps in [(step,) for step in STEPS] + [STEPS[:3] + STEPS[4:], STEPS[:4]]:
    picture = scene.copy()
    Preparation(steps, "bgr", 224, 224).apply(picture)
    print("prepared", *steps, hashlib.sha256(picture.tobytes()).hexdigest())
"""


@pytest.fixture
def answers_here(bundle: Bundle, shared: Path) -> list[dict[str, object]]:
    photos = [str(shared / "models" / name) for name in PHOTOS]
    command = [sys.executable, "-m", "edge", "classify", str(bundle.path), *photos, "--json"]
    return _read(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize(
    ("architecture", "machine", "engine"), [("arm64", "aarch64", "litert"), ("armhf", "armv7l", "tflite-runtime")]
)
def test_photos_are_named_as_here(
    architecture: str,
    machine: str,
    engine: str,
    once: Callable[..., Ran],
    bundle: Bundle,
    shared: Path,
    answers_here: list[dict[str, object]],
) -> None:
    """That it answers at all says that the golden inputs passed: no engine serves before."""

    def fill(folder: Path) -> None:
        shutil.copytree(bundle.path, folder / "bundle")
        for name in PHOTOS:
            shutil.copy(shared / "models" / name, folder)
        (folder / "run").write_text(_RUN.format(photos=[f"/bench/{name}" for name in PHOTOS]))

    ran = once(architecture, architecture, fill)
    assert ran.status == 0, ran.output
    assert machine in ran.output.splitlines()
    answers = _read(ran.output)
    assert all(str(answer["engine"]).startswith(engine) for answer in answers)
    assert [answer["label"] for answer in answers] == [answer["label"] for answer in answers_here]
    tolerance = bundle.manifest.golden.output_tolerance * bundle.manifest.output.quantization.scale
    for answer, here in zip(answers, answers_here, strict=True):
        assert answer["score"] == pytest.approx(here["score"], abs=tolerance)


@pytest.mark.parametrize("architecture", ["arm64", "armhf"])
def test_pictures_are_prepared_to_the_same_bits(architecture: str, once: Callable[..., Ran]) -> None:
    here = subprocess.run([sys.executable, "-c", _PREPARE], capture_output=True, text=True, check=True).stdout
    ran = once(architecture, f"{architecture}-prepared", lambda folder: (folder / "run").write_text(_PREPARE))
    assert ran.status == 0, ran.output
    assert [line for line in ran.output.splitlines() if line.startswith("prepared")] == here.splitlines()


def _read(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]

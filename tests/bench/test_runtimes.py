"""The device side's own tests, on the other TFLite runtime."""

import subprocess
from pathlib import Path

import pytest
from bench_runs import ROOT, UNAVAILABLE

pytestmark = [pytest.mark.bench, pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_device_side_passes_its_tests_on_tflite_runtime(tmp_path: Path) -> None:
    """In an environment of its own: tflite-runtime, NumPy 1, OpenCV 4, Python 3.11."""
    command = [ROOT / "tools" / "test-tflite-runtime", "-q", "-m", "not slow", "-k", _ABOUT_THE_RUNTIME]
    done = subprocess.run([*command, "--basetemp", tmp_path / "base"], capture_output=True, text=True, check=False)
    if done.returncode == UNAVAILABLE:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr

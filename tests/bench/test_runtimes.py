"""The device side's own tests, on the other TFLite runtime."""

import subprocess
import tempfile

import pytest
from bench_runs import ROOT, UNAVAILABLE

pytestmark = [pytest.mark.bench, pytest.mark.slow, pytest.mark.timeout(900)]

# What depends on the runtime, on NumPy or on OpenCV; `tools/test-tflite-runtime` alone runs all.
_SUBJECTS = (
    *("inference", "edgetpu", "software_edgetpu", "guard", "pipeline", "importer", "store"),
    *("preprocess", "postprocess", "images", "pixel_formats"),
)


def test_the_device_side_passes_its_tests_on_tflite_runtime() -> None:
    """In an environment of its own: tflite-runtime, NumPy 1, OpenCV 4, Python 3.11."""
    files = [str(*(ROOT / "tests" / "edge").rglob(f"test_{subject}.py")) for subject in _SUBJECTS]
    # A short path: the software Edge TPU cuts long messages off, paths and all.
    with tempfile.TemporaryDirectory() as base:
        command = [ROOT / "tools" / "test-tflite-runtime", "-q", "--tb", "short", "--basetemp", base, *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == UNAVAILABLE:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr

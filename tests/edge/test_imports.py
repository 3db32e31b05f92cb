"""`import edge` works on a bare laptop and pulls in nothing heavy."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "sklearn", "cv2", "PIL", "picamera2", "libcamera", "ai_edge_litert", "tflite_runtime")


def loaded_after(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import edge",
        "import edge.errors, edge.records, edge.config, edge.health",
        "import trainer, trainer.cli",
        "from edge.cli import cli; cli.main(['--help'], standalone_mode=False)",
    ],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert loaded_after(code).isdisjoint(HEAVY)


def test_the_device_side_never_loads_the_trainer() -> None:
    code = "import edge.cli.assemble, edge.cli.run, edge.cli.bundle, edge.cli.classify, edge.bundle.importer"
    assert loaded_after(code).isdisjoint({"trainer", "tensorflow", "sklearn", "rich", "picamera2", "ai_edge_litert"})

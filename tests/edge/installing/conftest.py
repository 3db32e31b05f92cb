import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_kits import Device, make_device, make_kit

MEMORY = Path("/dev/shm")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, since the installer syncs all that it writes, and so all that others write to a disk."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


@pytest.fixture
def device(memory: Path) -> Device:
    return make_device(memory / "device")


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    return make_kit(tmp_path / "kit")


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    return make_kit(tmp_path / "newer", "2.0")

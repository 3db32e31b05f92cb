"""A machine of the test's own for the doctor to look at."""

from collections.abc import Callable
from pathlib import Path

import pytest
from doctored import Children

from edge.board import Board
from edge.doctor.case import Case


@pytest.fixture
def plant(tmp_path: Path) -> Callable[[str, str], Path]:
    def put(place: str, text: str) -> Path:
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    return put


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A bare machine: no device, no systemd, no child that answers."""
    board = Board(sysfs=tmp_path / "sys", procfs=tmp_path / "proc", run=tmp_path / "run", path="")
    sysfs, dev, etc = tmp_path / "sys", tmp_path / "dev", tmp_path / "etc"
    return Case(sysfs=sysfs, dev=dev, etc=etc, board=board, probe=Children(), call=lambda _: None)

"""The workshop in which kits are made."""

from pathlib import Path

import pytest
from made_kits import Workshop, make_workshop


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Workshop:
    """A folder with all that a kit is made of, and no network."""
    return make_workshop(tmp_path, monkeypatch, capsys)

"""Fixtures of the supervisor's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_workers import PREFACE, SCRIPTED, Supervise
from supervised import Memory, Supervised, starting

from edge.config.settings import Settings


@pytest.fixture
def supervise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervise]:
    """Run a supervisor whose workers are the given Python code."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    running: list[Supervised] = []

    def begin(code: str, settings: Settings = SCRIPTED, sink: Memory | None = None, **options: object) -> Supervised:
        (tmp_path / "a_worker.py").write_text(PREFACE + code)
        options = {"start": starting("a_worker"), **options}
        running.append(Supervised(tmp_path, settings, sink or Memory(), **options))
        return running[-1]

    yield begin
    for one in running:
        one.close()

"""How many photos are decoded at once by default."""

import os
from pathlib import Path

import pytest

from trainer.dataset.decode_limits import default_workers


@pytest.mark.parametrize(
    ("available_gib", "workers"),
    [(0.3, 1), (2.5, 1), (4.9, 1), (5.0, 2), (7.6, 3), (64.0, 8)],
)
def test_each_worker_has_the_memory_that_it_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, available_gib: float, workers: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemTotal: 99 kB\nMemFree: 1 kB\nMemAvailable:  {available_gib * 1024**2:.0f} kB\n")
    assert default_workers(meminfo) == workers


@pytest.mark.parametrize("text", [None, "MemTotal: 99 kB\n"])
def test_where_the_kernel_does_not_say_it_is_all_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    if text is not None:
        (tmp_path / "meminfo").write_text(text)
    assert default_workers(tmp_path / "meminfo") == 8

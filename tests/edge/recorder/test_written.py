"""Bytes written a day, as the kernel counts them."""

import time
from pathlib import Path

import pytest

from edge.recorder.written import WrittenToday, written_bytes


def at(day: int) -> time.struct_time:
    return time.gmtime(1_800_000_000 + day * 86_400)


def test_the_count_begins_anew_at_midnight() -> None:
    counts = iter([0, 100, 250, 300, 450])
    day = [0]
    written = WrittenToday(lambda: next(counts), lambda: at(day[0]))
    assert [written.count(), written.count()] == [100, 250]
    day[0] = 1
    assert [written.count(), written.count()] == [50, 200]
    assert written.total == 450


def test_a_clock_that_is_set_back_only_begins_another_day() -> None:
    counts = iter([0, 100, 250, 300])
    day = [10]
    written = WrittenToday(lambda: next(counts), lambda: at(day[0]))
    written.count()
    day[0] = -10_000
    assert [written.count(), written.count()] == [150, 200]


def test_the_kernel_counts_files_that_are_written(tmp_path: Path) -> None:
    before = written_bytes()
    if before is None:
        pytest.skip("this kernel does not count what a process writes")
    (tmp_path / "file").write_bytes(bytes(1_000_000))
    after = written_bytes()
    if after == before:
        pytest.skip("files of tests live in memory here")
    assert after is not None
    assert after - before >= 1_000_000


def test_a_kernel_that_does_not_count(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert written_bytes(tmp_path / "io") is None
    (tmp_path / "io").write_text("rchar: 5\nwrite_bytes: x\n")
    assert written_bytes(tmp_path / "io") is None
    assert WrittenToday(lambda: None).count() == 0
    assert "does not count" in caplog.text

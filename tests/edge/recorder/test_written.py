"""Bytes written a day, as the kernel counts them."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_the_next_recorder_goes_on_from_what_the_last_one_left() -> None:
    counts, day = iter([0, 100_000]), [0]
    left = WrittenToday(lambda: next(counts), lambda: at(day[0])).words()
    assert left is not None
    counts = iter([0, 300, 400, 500])
    written = WrittenToday(lambda: next(counts), lambda: at(day[0]))
    written.recall(left)
    written.recall("what this one left itself, or that of a fresh store")
    assert written.count() == 100_300
    assert written.total == 300
    day[0] = 1
    assert written.count() == 100


def test_a_clock_that_is_set_later_finds_its_day_again() -> None:
    counts, day = iter([0, 100_000]), [0]
    left = WrittenToday(lambda: next(counts), lambda: at(day[0])).words()
    counts, day = iter([0, 200, 700]), [-10_000]
    written = WrittenToday(lambda: next(counts), lambda: at(day[0]))
    written.recall(left or "")
    assert written.count() == 200
    day[0] = 0
    assert written.count() == 100_500


def test_little_is_not_worth_a_page() -> None:
    counts = iter([0, 1000, 70_000, 71_000, 140_000])
    written = WrittenToday(lambda: next(counts), lambda: at(0))
    assert [bool(written.words()) for _ in range(4)] == [False, True, False, True]


@given(st.text(max_size=40) | st.lists(st.integers(), max_size=4).map(lambda numbers: " ".join(map(str, numbers))))
def test_any_words_from_a_damaged_store(words: str) -> None:
    written = WrittenToday(lambda: 5, lambda: at(0))
    written.recall(words)
    assert written.count() >= 5


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

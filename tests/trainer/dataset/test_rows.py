"""An array on disk, read and written by the row."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import StorageError
from trainer.dataset.rows import Rows


@pytest.fixture(params=["unnamed", "named"])
def rows(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rows]:
    """Five rows of 2x3 bytes: 0 1 2 3 4 5, 10 11 12 ...; in a file without a name, and in one with as on Windows."""
    if request.param == "named":
        monkeypatch.delattr(os, "preadv")
    with Rows.create(tmp_path, 5, (2, 3), np.uint8, "a test") as made:
        for number in range(5):
            made.write(number, row(number))
        yield made


def row(number: int) -> np.ndarray:
    return np.arange(6, dtype=np.uint8).reshape(2, 3) + 10 * number


def stacked(*numbers: int) -> np.ndarray:
    return np.array([row(number) for number in numbers], np.uint8).reshape(-1, 2, 3)


def test_it_reads_like_an_array(rows: Rows) -> None:
    assert rows.shape == (5, 2, 3)
    assert len(rows) == 5
    assert np.array_equal(rows[3], row(3))
    assert np.array_equal(rows[-1], row(4))
    assert np.array_equal(rows[np.int64(2)], row(2))


@pytest.mark.parametrize(
    ("index", "numbers"),
    [
        (slice(None), (0, 1, 2, 3, 4)),
        (slice(1, 3), (1, 2)),
        (slice(4, 1), ()),
        (slice(None, None, 2), (0, 2, 4)),
        (np.array([4, 0, 4]), (4, 0, 4)),
        ([1, -2], (1, 3)),
        (np.array([True, False, False, True, False]), (0, 3)),
        (np.array([], np.int64), ()),
    ],
)
def test_several_rows_at_once(rows: Rows, index: Any, numbers: tuple[int, ...]) -> None:
    assert np.array_equal(rows[index], stacked(*numbers))


@pytest.mark.parametrize("index", [5, -6])
def test_there_is_nothing_beyond_the_ends(rows: Rows, index: int) -> None:
    with pytest.raises(IndexError, match=f"row {index} of 5"):
        rows[index]


def test_what_is_read_is_a_copy(rows: Rows) -> None:
    rows[1][:] = 99
    assert np.array_equal(rows[1], row(1))


def test_a_selection_shows_some_rows_in_its_own_order(rows: Rows) -> None:
    chosen = rows.select(np.array([4, 1, 3])).select(np.array([2, 0]))
    assert chosen.shape == (2, 2, 3)
    assert np.array_equal(chosen[:], stacked(3, 4))
    assert np.array_equal(chosen[0], row(3))
    chosen.close()


def test_rows_of_wider_numbers(tmp_path: Path) -> None:
    with Rows.create(tmp_path, 3, (4,), np.float32, "features") as features:
        features.write(1, np.array([1.5, -2, 0, 7]))
        assert features[1].tolist() == [1.5, -2, 0, 7]
        assert features[0].tolist() == [0, 0, 0, 0]


def test_a_child_process_may_write_rows(rows: Rows) -> None:
    code = """
import sys
from trainer.dataset.row_file import attach
file = attach(sys.argv[1])
file.write(memoryview(bytes([7] * 6)), 2 * 6)
file.close()
"""
    subprocess.run([sys.executable, "-c", code, rows.file.address], pass_fds=rows.file.inherited, check=True)
    assert (rows[2] == 7).all()
    assert np.array_equal(rows[1], row(1))


def test_nothing_of_it_has_a_name_in_the_folder(tmp_path: Path) -> None:
    with Rows.create(tmp_path, 1, (1,), np.uint8, "a test"):
        assert list(tmp_path.iterdir()) == []


def test_a_file_with_a_name_goes_when_it_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "preadv")
    made = Rows.create(tmp_path, 1, (1,), np.uint8, "a test")
    assert len(list(tmp_path.iterdir())) == 1
    made.close()
    made.close()
    assert list(tmp_path.iterdir()) == []


def test_several_threads_read_rows_of_their_own(rows: Rows) -> None:
    def right(number: int) -> bool:
        return all(np.array_equal(rows[number], row(number)) for _ in range(200))

    with ThreadPoolExecutor(5) as threads:
        assert all(threads.map(right, range(5)))


def test_no_rows_are_fine(tmp_path: Path) -> None:
    with Rows.create(tmp_path, 0, (2, 3), np.uint8, "nothing") as none:
        assert none[:].shape == (0, 2, 3)


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StorageError, match=r"3\.0 GB for the photos do not fit \(No space left.*TMPDIR"):
        Rows.create(tmp_path, 1000, (1000, 1000, 3), np.uint8, "the photos")


def test_a_folder_that_is_not_there_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file or directory"):
        Rows.create(tmp_path / "nowhere", 1, (1,), np.uint8, "a test")


def test_closing_twice_is_safe(tmp_path: Path) -> None:
    made = Rows.create(tmp_path, 1, (1,), np.uint8, "a test")
    made.close()
    made.close()

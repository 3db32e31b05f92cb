"""The score log on the disk: bounded, rotated once, never half a piece, and never a reason to stop."""

import errno
import os
from pathlib import Path

import pytest

from edge.events.log_clock import ClockPiece
from edge.events.wall_clock import ClockReading
from edge.recorder import score_log
from edge.recorder.score_log import ScoreLogFile


def test_pieces_are_appended_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "new" / "scores"
    for piece in (b"one", b"two"):
        log = ScoreLogFile(path, 1)
        log.append(piece)
        log.close()
        log.close()
    assert path.read_bytes() == b"onetwo"


def test_file_and_predecessor_take_no_more_than_they_may(tmp_path: Path) -> None:
    log = ScoreLogFile(tmp_path / "scores", 1)
    for number in range(100):
        log.append(bytes([number]) * 30_000)
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 1_000_000
    log.close()
    newest, older = (tmp_path / "scores").read_bytes(), (tmp_path / "scores.1").read_bytes()
    assert newest[-1] == 99
    assert older[-1] + 1 == newest[0]


def test_what_the_clock_reads_comes_first_in_each_file_and_whenever_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "scores"
    unset, set_ = (ClockPiece("a", 5.0, reading) for reading in (ClockReading(0.0, "none"), ClockReading(1e9, "ntp")))
    slewed = ClockPiece("a", 6.0, ClockReading(1e9 + 0.01, "ntp"))
    log = ScoreLogFile(path, 1)
    for number, clock in enumerate((unset, unset, set_, slewed)):
        log.append(b"%d" % number, clock)
    log.close()
    log.append(b"4", set_)
    log.close()
    assert path.read_bytes() == unset.packed() + b"01" + set_.packed() + b"23" + set_.packed() + b"4"
    log.append(b"5", set_)
    log.append(bytes(499_900), set_)
    log.close()
    assert path.with_name("scores.1").read_bytes().endswith(b"45".replace(b"5", set_.packed() + b"5"))
    assert path.read_bytes() == set_.packed() + bytes(499_900)


def test_a_full_disk_leaves_whole_pieces_and_one_line_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    log = ScoreLogFile(tmp_path / "scores", 1)
    log.append(b"whole")
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(score_log.os, "write", lambda file, data: real(file, data[:2]))
        for _ in range(3):
            log.append(b"lost")
    log.append(b", too")
    log.close()
    assert (tmp_path / "scores").read_bytes() == b"whole, too"
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert os.strerror(errno.ENOSPC) in caplog.text


def test_what_is_no_file_is_not_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / "scores")
    ScoreLogFile(tmp_path / "scores", 1).append(b"lost")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    ScoreLogFile(tmp_path / "link", 1).append(b"lost")
    assert not (tmp_path / "elsewhere").exists()
    assert len(caplog.records) == 2


def test_a_pipe_that_somebody_reads_is_not_written_either(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / "scores")
    reader = os.open(tmp_path / "scores", os.O_RDONLY | os.O_NONBLOCK)
    ScoreLogFile(tmp_path / "scores", 1).append(b"lost")
    assert os.read(reader, 10) == b""
    os.close(reader)
    assert "not a plain file" in caplog.text


def test_one_that_was_removed_is_begun_again_at_the_next_rotation(tmp_path: Path) -> None:
    log = ScoreLogFile(tmp_path / "scores", 1)
    log.append(b"x" * 400_000)
    (tmp_path / "scores").unlink()
    log.append(b"y" * 400_000)
    log.close()
    assert (tmp_path / "scores").read_bytes() == b"y" * 400_000

"""The last warnings of a process, in a file that is small and whole at any moment."""

import logging
import stat
import time
from pathlib import Path

import pytest

from edge.errors import DataError, MissingInputError
from edge.processes.logs import PROBLEMS, ProblemLog, keep_problems, read_problems


def note(log: ProblemLog, words: str, level: int = logging.WARNING, error: BaseException | None = None) -> None:
    info = None if error is None else (type(error), error, None)
    log.handle(logging.LogRecord("x", level, "", 0, words, (), info))


def test_the_newest_are_kept_through_a_restart(tmp_path: Path) -> None:
    log = ProblemLog(tmp_path / PROBLEMS)
    for number in range(60):
        note(log, f"problem {number}")
    log.close()
    again = ProblemLog(tmp_path / PROBLEMS)
    note(again, "after the restart", logging.ERROR)
    again.close()
    kept = read_problems(tmp_path / PROBLEMS)
    assert [one.words for one in kept] == [*(f"problem {number}" for number in range(11, 60)), "after the restart"]
    assert kept[-1].level == "ERROR"
    assert abs(kept[-1].wall_s - time.time()) < 60


def test_it_is_written_soon_and_not_for_each_of_many(tmp_path: Path) -> None:
    log = ProblemLog(tmp_path / PROBLEMS)
    note(log, "the first one, at once")
    first = (tmp_path / PROBLEMS).stat()
    assert len(read_problems(tmp_path / PROBLEMS)) == 1
    for number in range(1000):
        note(log, f"one of many {number}")
    assert (tmp_path / PROBLEMS).stat().st_ino == first.st_ino, "not written again yet"
    until_s = time.monotonic() + 10
    while len(read_problems(tmp_path / PROBLEMS)) == 1:
        assert time.monotonic() < until_s
        time.sleep(0.02)
    assert read_problems(tmp_path / PROBLEMS)[-1].words == "one of many 999"
    log.close()


def test_what_is_in_it_is_harmless_and_short(tmp_path: Path) -> None:
    log = ProblemLog(tmp_path / PROBLEMS)
    note(log, "rtsp://ada:hunter2@host/x\n<0>next \x1b[2J " + "x" * 100_000, error=ValueError("a\x9bb"))
    log.close()
    data = (tmp_path / PROBLEMS).read_bytes()
    assert len(data) < 1000
    assert b"hunter2" not in data
    assert all(word.isprintable() for one in read_problems(tmp_path / PROBLEMS) for word in one.words)
    assert stat.S_IMODE((tmp_path / PROBLEMS).stat().st_mode) == 0o640


def test_information_is_no_problem(tmp_path: Path) -> None:
    log = keep_problems(tmp_path)
    try:
        logging.getLogger("edge.test").info("all is well")
        logging.getLogger("edge.test").warning("it is not")
    finally:
        logging.getLogger().removeHandler(log)
        log.close()
    assert [one.words for one in log.problems()] == ["it is not"]


def test_a_folder_that_is_gone_or_a_link_harms_nothing(tmp_path: Path) -> None:
    log = ProblemLog(tmp_path / "missing" / PROBLEMS)
    note(log, "nowhere to go")
    log.close()
    assert len(log.problems()) == 1
    (tmp_path / "secret").write_text("secret")
    (tmp_path / PROBLEMS).symlink_to(tmp_path / "secret")
    other = ProblemLog(tmp_path / PROBLEMS)
    note(other, "not into it")
    other.close()
    assert (tmp_path / "secret").read_text() == "secret"


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        read_problems(tmp_path / PROBLEMS)
    (tmp_path / PROBLEMS).write_bytes(b"x" * (1 << 19))
    with pytest.raises(MissingInputError, match="larger than"):
        read_problems(tmp_path / PROBLEMS)
    (tmp_path / PROBLEMS).write_bytes(b"[{}]")
    with pytest.raises(DataError, match="another version"):
        read_problems(tmp_path / PROBLEMS)
    assert ProblemLog(tmp_path / PROBLEMS).problems() == []

"""A study runs each task once, goes on from its file, and ends with a command that fails."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.study_runs import fieldfare, link, read_results, run_all, spread


@dataclass(frozen=True)
class Task:
    photos: int


@dataclass(frozen=True)
class Result:
    task: Task
    int8: float


def test_a_study_that_was_stopped_goes_on(tmp_path: Path) -> None:
    file, kinds = tmp_path / "results", (Task, Result)
    first = [Result(Task(number), number / 10) for number in (1, 2)]
    assert run_all(file, kinds, [Task(1), Task(2)], lambda task: Result(task, task.photos / 10)) == first
    run: list[Task] = []

    def again(task: Task) -> Result:
        run.append(task)
        return Result(task, 0.9)

    assert run_all(file, kinds, [Task(1), Task(3)], again) == [*first, Result(Task(3), 0.9)]
    assert run == [Task(3)]
    assert list(read_results(file, kinds)) == [Task(1), Task(2), Task(3)]


def test_two_photos_of_one_name_do_not_become_one(tmp_path: Path) -> None:
    for name in ("train", "val"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_text(name)
    with pytest.raises(FileExistsError):
        link((tmp_path / "pool" / "1.jpg", tmp_path / name / "1.jpg") for name in ("train", "val"))


def test_the_last_line_is_the_answer_and_a_failure_ends_the_study() -> None:
    start = ["-c", "import sys; print('news'); print('{\"n\": %d}' % (len(sys.argv) - 1))"]
    assert fieldfare("train", 3, start=start) == {"n": 3}
    with pytest.raises(SystemExit, match="train ended with 3"):
        fieldfare("train", start=["-c", "raise SystemExit(3)"])


def test_shares_as_mean_and_range() -> None:
    assert spread([0.5, 0.7]) == "60.0% (50.0-70.0) 2"
    assert spread([]) == "-"

"""What studies of trainings share: each task runs once, in processes of its own, and its result is a line of a file.

A study that is stopped goes on from that file. Its tasks and results are frozen dataclasses of plain numbers and texts;
a result has its task under `task`.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of what all studies take: --weights, --results, --size, --table."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--table", action="store_true")
    return parser


def run_all(
    path: Path,
    kinds: tuple[type[Task], Callable[..., Result]],
    tasks: Iterable[Task],
    run: Callable[[Task], Result],
    in_words: Callable[[Result], str] = str,
) -> list[Result]:
    """Run the tasks that have no result in the file `path` yet, and return all results of the file.

    kinds: of the tasks and of the results. in_words: returns what to print of a new result.
    """
    found = read_results(path, kinds)
    for task in tasks:
        if task not in found:
            found[task] = result = run(task)
            with path.open("a") as file:
                file.write(json.dumps(asdict(result)) + "\n")  # type: ignore[call-overload]
            print(in_words(result), flush=True)
    return list(found.values())


def read_results(path: Path, kinds: tuple[type[Task], Callable[..., Result]]) -> dict[Task, Result]:
    """Return the results in a file by their tasks; none if there is no file."""
    task_of, result_of = kinds
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    found = [(task_of(**row["task"]), row) for row in rows]
    return {task: result_of(**{**row, "task": task}) for task, row in found}


def fieldfare(*words: object, start: Sequence[str] = ("-m", "edge")) -> dict[str, Any]:
    """Run a command in a process of its own, and return what it prints as JSON.

    start: what Python runs as `fieldfare`.
    """
    command = [sys.executable, *start, *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def link(places: Iterable[tuple[Path, Path]]) -> None:
    """Make links, each place to its file. Raises FileExistsError if two places are the same."""
    for place, path in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path.resolve())


def spread(values: Sequence[float]) -> str:
    """Return the mean of shares, their range and their number; '-' without any."""
    if not values:
        return "-"
    return f"{statistics.mean(values):.1%} ({100 * min(values):.1f}-{100 * max(values):.1f}) {len(values)}"

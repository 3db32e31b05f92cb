"""Label few photos of a set and train on them: drawn at random, picked, and with labels carried to the rest.

    python tools/study_picking.py SET --weights FILE --results FILE [--numbers 60 120 240] [--draws 5]
        [--ways random more picked rounds spread] [--epochs N] [--precision 0.9] [--wide FILE]

SET holds train, val and test folders. Photos of train and val are the pool, without labels; one that is labelled gets
the label of its folder. All trainings are tested on the test photos: a class of which fewer than two photos were
labelled cannot be learned, and its test photos count as wrong. The ways:

    random   as many photos, drawn
    more     1.4 times as many, drawn
    picked   `fieldfare dataset pick -n NUMBER`
    rounds   the smallest number picked; from then on up to the next number with the bundle of the round before
    steps    sixty picked, then sixty more each time with the labels of those before: no bundle, no training between
    spread   as picked, and `fieldfare dataset spread` over the pool, with the weights that training starts from
    again    as spread, with the bundle of picked instead of the weights
    wider    as spread, with --wide instead of the weights
    beside   as again, with --wide beside the bundle

--wide is a file of weights of MobileNetV2 1.0, which only carries labels.

Every result is a line of FILE as soon as it is there. The same command goes on from that file and at the end prints the
table of all that it holds: top-1 on the test photos of the int8 model, mean and range over the draws. `--table` only
prints. `--epochs 0` trains the head alone.
"""

import argparse
import csv
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from study_runs import fieldfare, link, parser_of, run_all, spread

WAYS = ("random", "more", "picked", "rounds", "steps", "spread", "again", "wider", "beside")
CARRIED = ("spread", "again", "wider", "beside")
MORE = 1.4
STEP = 60


@dataclass(frozen=True, slots=True)
class Task:
    """One training: with how many labels, of which draw, chosen how, for how many epochs (-1: as many as usual)."""

    labels: int
    draw: int
    way: str
    epochs: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a training came to.

    int8, unquantized: shares of all test photos.
    labelled, machine_made: photos with labels of each kind.
    right: the share of the machine-made labels that are right; 0 without any.
    seconds: of the training.
    """

    task: Task
    int8: float
    unquantized: float
    labelled: int
    machine_made: int
    right: float
    seconds: float


def main() -> int:
    arguments = parse_arguments()
    wanted = () if arguments.table else tasks(arguments)
    print_table(run_all(arguments.results, (Task, Result), wanted, lambda task: Study(arguments, task).run()))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("set", type=Path, nargs="?")
    parser.add_argument("--numbers", type=int, nargs="+", default=[60, 120, 240])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["random", "more", "picked", "rounds", "spread"])
    parser.add_argument("--epochs", type=int, default=-1)
    parser.add_argument("--precision", type=float, default=0.9)
    parser.add_argument("--wide", type=Path)
    arguments = parser.parse_args()
    if not arguments.table and not (arguments.set and arguments.weights):
        parser.error("give SET and --weights, or --table")
    if not arguments.table and {"wider", "beside"} & set(arguments.ways) and not arguments.wide:
        parser.error("the ways wider and beside need --wide")
    return arguments


def tasks(arguments: argparse.Namespace) -> Iterator[Task]:
    """Yield all trainings, a whole draw before the next one, so that a study that is stopped shows all rows."""
    for draw in range(arguments.draws):
        for number in sorted(arguments.numbers):
            yield from (Task(number, draw, way, arguments.epochs) for way in arguments.ways)


class Study:
    """One task: labels, folders, training. Bundles are kept beside the results, as later rounds need them."""

    def __init__(self, arguments: argparse.Namespace, task: Task) -> None:
        self.arguments, self.task = arguments, task
        self.pool = {
            f"{place:05}{path.suffix}": path
            for place, path in enumerate(sorted(p for s in ("train", "val") for p in (arguments.set / s).glob("*/*")))
        }
        self.kept: Path = arguments.results.absolute().with_suffix(".bundles")

    def run(self) -> Result:
        with tempfile.TemporaryDirectory(prefix="picking-") as name:
            folder = Path(name)
            link((folder / "pool" / name, path) for name, path in self.pool.items())
            return self._train(folder, self._label(folder))

    def _label(self, folder: Path) -> list[str]:
        """Return the names of the photos that are labelled."""
        task = self.task
        if task.way in ("random", "more"):
            count = round(task.labels * (MORE if task.way == "more" else 1))
            return list(np.random.default_rng((task.draw, count)).permutation(sorted(self.pool))[:count])
        if task.way == "steps":
            return self._in_steps(folder)
        if task.way != "rounds" or task.labels == min(self.arguments.numbers):
            return self._pick(folder, task.labels, ["--weights", self.arguments.weights])
        before = max(number for number in self.arguments.numbers if number < task.labels)
        state = self._place("rounds", before)
        known: list[str] = json.loads(state.with_suffix(".json").read_text())
        link((folder / "known" / name, self.pool[name]) for name in known)
        bundle = ["--bundle", state.with_suffix(".fieldfare"), "--labelled", folder / "known"]
        return known + self._pick(folder, task.labels - len(known), bundle)

    def _in_steps(self, folder: Path) -> list[str]:
        """Return the names of photos that were picked a few at a time, each time beside those labelled before."""
        network: list[object] = ["--weights", self.arguments.weights]
        names: list[str] = []
        while len(names) < self.task.labels:
            labelled: list[object] = ["--labelled", folder / "known"] if names else []
            new = self._pick(folder, min(STEP, self.task.labels - len(names)), [*network, *labelled])
            link((folder / "known" / self.pool[name].parent.name / name, self.pool[name]) for name in new)
            names += new
        return names

    def _pick(self, folder: Path, count: int, network: list[object]) -> list[str]:
        words = ["dataset", "pick", folder / "pool", "-n", count, "--seed", self.task.draw, *network]
        return [row["file"] for row in fieldfare(*words)["picked"]]

    def _place(self, way: str, labels: int) -> Path:
        return self.kept / f"{way}-{labels}-{self.task.draw}-{self.task.epochs}"

    def _train(self, folder: Path, labelled: list[str]) -> Result:
        classes = [self.pool[name].parent.name for name in labelled]
        known = {name for name in set(classes) if classes.count(name) >= 2}
        data = folder / "data"
        link((data / "train" / c / n, self.pool[n]) for n, c in zip(labelled, classes, strict=True) if c in known)
        tested = sorted((self.arguments.set / "test").glob("*/*"))
        link((data / "test" / p.parent.name / p.name, p) for p in tested if p.parent.name in known)
        made, right = 0, 0.0
        if self.task.way in CARRIED:
            data, made, right = self._spread(folder)
        self.kept.mkdir(exist_ok=True)
        place = self._place(self.task.way, self.task.labels)
        started = time.monotonic()
        words = ["train", data, "--out", place.with_suffix(".fieldfare"), "--weights", self.arguments.weights]
        more = [] if self.task.epochs < 0 else ["--epochs", self.task.epochs]
        report = fieldfare(*words, "--seed", self.task.draw, "--size", self.arguments.size, "--overwrite", *more)
        place.with_suffix(".json").write_text(json.dumps(labelled))
        share = sum(path.parent.name in known for path in tested) / len(tested)
        seconds = round(time.monotonic() - started, 1)
        accuracies = report["test_top1_int8"] * share, report["test_top1_float"] * share
        return Result(self.task, *accuracies, len(labelled), made, right, seconds)

    def _spread(self, folder: Path) -> tuple[Path, int, float]:
        """Return the folder with labels carried to the pool, how many they are, and the share that is right."""
        network: list[object] = []
        if self.task.way in ("again", "beside"):
            network += ["--bundle", self._place("picked", self.task.labels).with_suffix(".fieldfare")]
        if self.task.way in ("wider", "beside"):
            network += ["--weights", self.arguments.wide, "--alpha", 1.0]
        out, precision = folder / "spread", ["--precision", self.arguments.precision]
        network = network or ["--weights", self.arguments.weights]
        fieldfare("dataset", "spread", folder / "data", folder / "pool", "--out", out, *network, *precision)
        with (out / "machine-labels.csv").open(newline="") as table:
            made = {row["file"]: row["label"] for row in csv.DictReader(table)}
        # The links lead to the photos themselves, which are in the folder of their class.
        right = [(out / file).resolve().parent.name == label for file, label in made.items()]
        return out, len(made), sum(right) / max(1, len(right))


def print_table(results: list[Result]) -> None:
    for epochs in sorted({result.task.epochs for result in results}):
        print("as usual" if epochs < 0 else f"{epochs} epochs")
        rows = [result for result in results if result.task.epochs == epochs]
        for labels in sorted({row.task.labels for row in rows}):
            for way in WAYS:
                if found := [row for row in rows if (row.task.labels, row.task.way) == (labels, way)]:
                    print(f"{labels:>6} {way:<8} {in_words(found)}")


def in_words(found: list[Result]) -> str:
    text = f"{spread([row.int8 for row in found])} draws"
    if not any(row.machine_made for row in found):
        return text
    made, right = (statistics.mean(values) for values in zip(*((r.machine_made, r.right) for r in found), strict=True))
    return f"{text}; {made:.0f} labels by machine, {right:.1%} right"


if __name__ == "__main__":
    sys.exit(main())

"""Train on small draws from larger sets: the head alone, always fine-tuned, and what `fieldfare train` keeps.

    python tools/study_small_sets.py SET... --weights FILE --results FILE [--photos 10 20 40 80] [--seeds 3] [--whole]
        [--ways head tuned product ten] [--size 224]

Each SET holds train, val and test folders. A draw takes so many photos of each class from train and val together; the
product divides them itself. All draws of a set are tested on its own test photos. The ways:

    head     `fieldfare train --epochs 0`
    tuned    always fine-tuned, for as many steps as the product, once; all the way, no choice
    product  `fieldfare train`
    ten      as tuned, for ten passes over the photos

Every result is a line of FILE as soon as it is there. The same command goes on from that file and at the end prints the
table of all that it holds: int8 top-1 on the test photos, mean and range over the seeds. `--table` only prints.
`--whole` adds the whole sets, undrawn. The product goes on from the last state of `tuned`, if that ran before it: both
take the same steps, and only what is made of them differs. It then saves a training; its seconds lack that one.
To compare two versions, run it in a checkout of each with `--photos --whole --ways product`, on one core (taskset).
"""

import argparse
import resource
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from study_runs import fieldfare, link, parser_of, run_all, spread

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from trainer.learning.checkpoint import folder_of

# `fieldfare` with a fine-tuning that goes all the way, and a choice that is none. Its last state goes to the first
# argument.
KEEP_LAST = """
import shutil
import sys
from pathlib import Path
import trainer.learning.fit
import trainer.learning.learn
from trainer.learning.checkpoint import folder_of
from trainer.learning.epochs import Choice
state, out = Path(sys.argv.pop(1)), Path(sys.argv[sys.argv.index("--out") + 1])
def joins(photos, best):
    shutil.copytree(folder_of(out.resolve()), state, dirs_exist_ok=True)
    return False
trainer.learning.learn.trained_share = lambda photos: 1.0
trainer.learning.learn.joins = joins
trainer.learning.fit.choose = lambda last, rival, epochs, share: Choice(
    last.epoch, last.epoch, len(last.right), 0, 0, 1.0, True, share
)
from edge.cli import main
main()
"""
WAYS = ("head", "tuned", "product", "ten")
WHOLE = 0  # in place of the number of photos


@dataclass(frozen=True, slots=True)
class Task:
    """One training: of which set, from how many photos a class, with which seed, how."""

    set: str
    photos: int
    seed: int
    way: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a training came to.

    int8, unquantized: shares of the test photos, of the int8 model and the float one.
    kept: the epoch; 0 for the head.
    seconds: of processor time, which other work on the machine moves less than the clock's.
    """

    task: Task
    int8: float
    unquantized: float
    kept: int
    seconds: float


def main() -> int:
    arguments = parse_arguments()
    wanted = () if arguments.table else tasks(arguments)
    print_table(run_all(arguments.results, (Task, Result), wanted, lambda task: run(task, arguments), in_words))
    return 0


def in_words(result: Result) -> str:
    return f"{result.task}: int8 {result.int8:.1%}, {result.seconds:.0f} s"


def parse_arguments() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("sets", type=Path, nargs="*")
    parser.add_argument("--photos", type=int, nargs="*", default=[10, 20, 40, 80])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--whole", action="store_true")
    arguments = parser.parse_args()
    if not arguments.table and not (arguments.sets and arguments.weights):
        parser.error("give SET... and --weights, or --table")
    return arguments


def tasks(arguments: argparse.Namespace) -> Iterator[Task]:
    """Yield all trainings, a whole seed before the next one, so that a study that is stopped shows all rows."""
    for seed in range(arguments.seeds):
        for photos in arguments.photos:
            for folder in arguments.sets:
                yield from (Task(folder.name, photos, seed, way) for way in arguments.ways)
        if arguments.whole:
            yield from (Task(folder.name, WHOLE, seed, way) for folder in arguments.sets for way in arguments.ways)


def run(task: Task, arguments: argparse.Namespace) -> Result:
    (folder,) = (folder for folder in arguments.sets if folder.name == task.set)
    with tempfile.TemporaryDirectory(prefix="small-sets-") as name:
        data = folder if task.photos == WHOLE else draw(folder, Path(name) / "draw", task.photos, task.seed)
        return train(task, data, Path(name) / "bundle", arguments)


def draw(folder: Path, out: Path, photos: int, seed: int) -> Path:
    """Make `out` of links: `photos` of each class from train and val as train, and all of test."""
    for place, of_class in enumerate(sorted((folder / "train").iterdir())):
        pool = sorted(path for split in ("train", "val") for path in (folder / split / of_class.name).iterdir())
        chosen = np.random.default_rng((seed, photos, place)).permutation(len(pool))[:photos]
        tested = sorted((folder / "test" / of_class.name).iterdir())
        link((out / "train" / of_class.name / pool[index].name, pool[index]) for index in chosen)
        link((out / "test" / of_class.name / path.name, path) for path in tested)
    return out


def train(task: Task, data: Path, out: Path, arguments: argparse.Namespace) -> Result:
    """Run the trainer in a process of its own."""
    state = arguments.results.with_suffix(".states") / f"{task.set}-{task.photos}-{task.seed}"
    start = {
        "tuned": ["-c", KEEP_LAST, str(state)],
        "ten": ["-c", KEEP_LAST, str(out.with_name("unused"))],
    }.get(task.way, ["-m", "edge"])
    if task.way == "product" and state.exists():
        shutil.move(state, folder_of(out.resolve()))
    more = {"head": ["--epochs", "0"], "ten": ["--epochs", "10"]}.get(task.way, [])
    words = ["train", data, "--out", out, "--weights", arguments.weights, "--seed", task.seed, "--size", arguments.size]
    started = processor_s()
    report = fieldfare(*words, *more, start=start)
    seconds = round(processor_s() - started, 1)
    return Result(task, report["test_top1_int8"], report["test_top1_float"], report["best_epoch"], seconds)


def processor_s() -> float:
    """Return the processor time of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def print_table(results: list[Result]) -> None:
    places = sorted({(result.task.set, result.task.photos or sys.maxsize) for result in results})
    print(f"{'set':<14} {'photos':>6} " + " ".join(f"{way:>22}" for way in WAYS) + "   better  head  (points)")
    for name, photos in places:
        rows = [r for r in results if (r.task.set, r.task.photos or sys.maxsize) == (name, photos)]
        of = {way: [r.int8 for r in rows if r.task.way == way] for way in WAYS}
        cells = " ".join(f"{spread(of[way]):>22}" for way in WAYS)
        shown = "all" if photos == sys.maxsize else str(photos)
        print(f"{name:<14} {shown:>6} {cells}   {ahead(of, ('head', 'tuned')):>6} {ahead(of, ('head',)):>5}")


def ahead(of: dict[str, list[float]], others: tuple[str, ...]) -> str:
    """Return the product's mean minus the best mean of `others`, in points, if all have as many seeds."""
    if len({len(of[way]) for way in ("product", *others)}) > 1 or not of["product"]:
        return "-"
    best = max(statistics.mean(of[way]) for way in others)
    return f"{100 * (statistics.mean(of['product']) - best):+.1f}"


if __name__ == "__main__":
    sys.exit(main())

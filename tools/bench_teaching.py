#!/usr/bin/env python3
"""Measure what `fieldfare teach` reaches: each class of a set held out in turn, then taught from a few photos.

    python tools/bench_teaching.py SET [--classes A B] [--photos 20] [--draws 3] [--train "--epochs 4 --size 160"]
                                       [--bundles FOLDER]

SET has train, val and test folders of class folders. For each class a bundle is trained without it (kept in FOLDER as
without-CLASS, and used again if it is there), taught from drawn photos of SET/train/CLASS, verified, and both bundles
answer all photos of SET/test: int8, best score, without the threshold; `named` with it. A teaching that does worse by
its own figures is not taken: nothing is lost then, and nothing found. Prints a JSON line for each draw, then medians
and spread.
"""

import argparse
import json
import platform
import random
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edge import __version__
from edge.bundle.store import open_bundle
from edge.images import read_image
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier
from edge.photo_files import find_images
from edge.postprocess import to_scores
from edge.preprocess import Preprocessor

FIELDFARE = (sys.executable, "-m", "edge")
# Of `fieldfare teach`: it did worse by its own figures, and was not taken.
_WORSE = 1


def classes_of(photos: Path) -> list[str]:
    """Return the classes of the set."""
    return sorted(folder.name for folder in (photos / "train").iterdir() if folder.is_dir())


def trained_without(photos: Path, held_out: str, place: Path, options: list[str]) -> Path:
    """Train a bundle without a class, unless it is there; return it."""
    bundle = place / f"without-{held_out}"
    if bundle.exists():
        return bundle
    with tempfile.TemporaryDirectory(prefix="bench-teaching-") as name:
        left = Path(name) / "photos"
        shutil.copytree(photos, left)
        for split in ("train", "val", "test"):
            shutil.rmtree(left / split / held_out)
        run("train", left, "--out", bundle, *options)
    return bundle


def run(*words: object, may_end_with: int = 0) -> bool:
    """Run the command; return whether it succeeded. It may also end with another status; else its output is shown."""
    done = subprocess.run([*FIELDFARE, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode not in (0, may_end_with):
        raise SystemExit(f"fieldfare {words[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.returncode == 0


def processor_s() -> float:
    """Return the processor time of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def shares_right(bundle_path: Path, test: Path, held_out: str) -> tuple[float, float, float]:
    """Return the shares of right answers to photos of all other classes, and to those of the class held out; and the
    share of the latter that also reach their threshold."""
    bundle = open_bundle(bundle_path)
    manifest = bundle.manifest
    classifier = TfliteClassifier(load_runtime(), bundle.model, threads=1)
    preprocessor = Preprocessor(manifest.preprocessing, manifest.input)
    right: dict[bool, list[bool]] = {False: [], True: []}
    named: list[bool] = []
    for folder in sorted(path for path in test.iterdir() if path.is_dir()):
        for path in find_images(folder):
            classifier.load(preprocessor.tensor(read_image(path)))
            scores = to_scores(classifier.invoke(), manifest.output, manifest.calibration).values
            best = int(scores.argmax())
            right[folder.name == held_out].append(bundle.labels[best] == folder.name)
            if folder.name == held_out:
                named.append(right[True][-1] and bool(scores[best] >= bundle.thresholds[best]))
    return statistics.mean(right[False]), statistics.mean(right[True]), statistics.mean(named)


def taught(photos: Path, held_out: str, old: Path, count: int, draw: int) -> dict[str, object]:
    """Teach the class from `count` drawn photos; return the figures."""
    available = find_images(photos / "train" / held_out)
    drawn = random.Random(draw).sample(available, min(count, len(available)))
    with tempfile.TemporaryDirectory(prefix="bench-teaching-") as name:
        folder, out = Path(name) / "photos" / held_out, Path(name) / "new"
        folder.mkdir(parents=True)
        for path in drawn:
            shutil.copy(path, folder)
        began_s = processor_s()
        taken = run("teach", "--bundle", old, "--photos", folder.parent, "--out", out, may_end_with=_WORSE)
        took_s = processor_s() - began_s
        if taken:
            run("bundle", "verify", out)
        before, _, _ = shares_right(old, photos / "test", held_out)
        after, new, named = shares_right(out if taken else old, photos / "test", held_out)
    return {
        "class": held_out,
        "draw": draw,
        "taken": taken,
        "old_before": round(before, 4),
        "old_change": round(after - before, 4),
        "new": round(new, 4),
        "named": round(named, 4),
        "processor_s": round(took_s, 2),
    }


def spread_of(name: str, values: list[float]) -> str:
    """Return median, least and most as text."""
    return f"{name}: median {statistics.median(values):.3f}, {min(values):.3f} to {max(values):.3f}"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("--classes", nargs="+")
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--train", default="", help="options of `fieldfare train`")
    parser.add_argument("--bundles", type=Path, default=Path("bench-teaching"))
    given = parser.parse_args()
    runtime = load_runtime()
    print(f"fieldfare {__version__}, {runtime.name} {runtime.version}, {platform.machine()}, train {given.train!r}")
    rows = []
    for held_out in given.classes or classes_of(given.set):
        old = trained_without(given.set, held_out, given.bundles, shlex.split(given.train))
        for draw in range(given.draws):
            rows.append(taught(given.set, held_out, old, given.photos, draw))
            print(json.dumps(rows[-1]), flush=True)
    for key in ("old_change", "new", "named", "processor_s"):
        for held_out in dict.fromkeys(row["class"] for row in rows):
            print(spread_of(f"{held_out}, {key}", [float(str(row[key])) for row in rows if row["class"] == held_out]))
        print(spread_of(f"all, {key}", [float(str(row[key])) for row in rows]))


if __name__ == "__main__":
    main()

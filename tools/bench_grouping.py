#!/usr/bin/env python3
"""Measure memory and time of `fieldfare dataset group` by the number of photos.

    python tools/bench_grouping.py [--counts 1000 100000] [--method kmeans] [--groups N]

Each count runs in a process of its own, on generated features of MobileNetV2's size (1,280 channels, twice: photos
and mirror images) in 40 kinds, with random hashes: everything after the network, up to the written table. The network
before it works on 2,048 photos at a time, so its memory does not grow with their number; its own is in the peak of
the smaller count of a real run. Prints a JSON line for each count.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from trainer.dataset.inspection import PhotoRecord
from trainer.features.extract import PhotoFeatures
from trainer.grouping.group import METHODS, Wishes, group
from trainer.grouping.result import Result, write_result
from trainer.progress import Advance

CHANNELS, KINDS = 1280, 40


def generated(count: int) -> PhotoFeatures:
    """Return features as a rectified network has them, made in place, so that the peak is not ours."""
    rng = np.random.default_rng(0)
    kinds = rng.standard_normal((KINDS, 2 * CHANNELS), dtype=np.float32)
    kinds[:, CHANNELS:] = kinds[:, :CHANNELS]
    features = np.empty((count, 2 * CHANNELS), np.float32)
    for row in features:
        rng.standard_normal(out=row, dtype=np.float32)
        row += kinds[rng.integers(KINDS)]
        np.maximum(row, 0, out=row)
    record = PhotoRecord(
        b"",
        1,
        640,
        480,
        "JPEG",
        "RGB",
        transparent=False,
        frames=1,
        orientation=1,
        captured_s=None,
        camera="",
        brightness=100.0,
        contrast=40.0,
    )
    return PhotoFeatures(
        tuple(Path(f"/card/{number:06}.jpg") for number in range(count)),
        features,
        rng.integers(0, 256, (count, 32), dtype=np.uint8),
        rng.integers(0, 256, (count, 256), dtype=np.uint8),
        (record,) * count,
        (),
    )


class Quiet:
    """A Progress that shows nothing."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Advance]:
        yield lambda _: None

    def say(self, text: str) -> None:
        print(text, file=sys.stderr)


def measure(count: int, wishes: Wishes) -> dict[str, object]:
    photos = generated(count)
    started = time.monotonic()
    grouping = group(photos, wishes)
    with tempfile.TemporaryDirectory() as folder:
        result = Result(Path("/card"), photos.paths, grouping)
        write_result(Path(folder) / "out", result, "", photos="none", by_visit=False, progress=Quiet())
    seconds = time.monotonic() - started
    return {
        "photos": count,
        "groups": grouping.groups,
        "seconds": round(seconds, 1),
        "ms_per_photo": round(1000 * seconds / count, 2),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--method", choices=METHODS, default="kmeans")
    parser.add_argument("--groups", type=int)
    parser.add_argument("--here", action="store_true", help="Measure the only count in this process.")
    given = parser.parse_args()
    if given.here:
        print(json.dumps(measure(given.counts[0], Wishes(given.method, given.groups))), flush=True)
        return
    for count in given.counts:
        words = [sys.executable, __file__, "--here", "--method", given.method, "--counts", str(count)]
        subprocess.run(words + (["--groups", str(given.groups)] if given.groups else []), check=True)


if __name__ == "__main__":
    main()

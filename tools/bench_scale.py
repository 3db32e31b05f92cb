"""Measure memory, disk and time of training for growing numbers of photos, in the frozen phase.

    python tools/bench_scale.py --weights FILE [--counts 1000 10000 100000] [--size 96] [--json]

Draws photos of 320 x 240 (ten classes: coloured shapes on smooth scenes, no two alike), and trains the head on them
with the product's own command (`fieldfare train --epochs 0`). For each count it prints the seconds of each stage for a
thousand photos, and the peak of the resident memory of all processes together. The memory is sampled ten times a
second, and counts shared pages once for each process, so the true figure is lower.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

CLASSES = 10


def main() -> int:
    arguments = parse_arguments()
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"tensorflow {version('tensorflow')}"
    )
    print(
        f"MobileNetV2 {arguments.alpha:g}, {arguments.size} pixels, photos of 320x240 in {CLASSES} classes, head only"
    )
    rows = []
    for count in arguments.counts:
        with tempfile.TemporaryDirectory(prefix="fieldfare-scale-") as name:
            folder = Path(name)
            make_photos(folder / "photos", count)
            rows.append(measure(arguments, folder, count))
            show(rows[-1])
    if arguments.json:
        print(json.dumps(rows))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--alpha", type=float, default=0.35)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def make_photos(root: Path, count: int) -> None:
    for number in range(count):
        label = number % CLASSES
        if number < CLASSES:
            (root / f"class{label}").mkdir(parents=True)
        picture = picture_of(label, np.random.default_rng(number))
        cv2.imwrite(str(root / f"class{label}" / f"{number:06}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])


def picture_of(label: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a shape in the class's colour on a random scene: uint8 (240, 320, 3), B, G, R."""
    coarse = rng.integers(30, 220, (8, 10, 3)).astype(np.uint8)
    picture = np.asarray(cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC), np.uint8)
    hue = np.uint8([[[18 * label, 230, 230]]])
    colour = tuple(int(v) for v in cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0])
    x, y, r = int(rng.integers(80, 240)), int(rng.integers(70, 170)), int(rng.integers(30, 65))
    if label % 2:
        cv2.circle(picture, (x, y), r, colour, -1)
    else:
        cv2.rectangle(picture, (x - r, y - r), (x + r, y + r), colour, -1)
    return picture


def measure(arguments: argparse.Namespace, folder: Path, count: int) -> dict[str, object]:
    command = [
        sys.executable,
        "-m",
        "edge",
        "train",
        str(folder / "photos"),
        "--out",
        str(folder / "bundle"),
        "--weights",
        str(arguments.weights),
        "--alpha",
        str(arguments.alpha),
        "--size",
        str(arguments.size),
        "--epochs",
        "0",
        "--json",
    ]
    scratch = folder / "scratch"
    scratch.mkdir()
    peak, disk, started = 0, 0, time.monotonic()
    free = shutil.disk_usage(folder).free
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(scratch)}
    ) as process:
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            disk = max(disk, free - shutil.disk_usage(folder).free)
            time.sleep(0.1)
        said, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"training ended with {process.returncode}:\n{errors[-2000:]}")
    told = json.loads(said.splitlines()[-1])
    return {
        "photos": count,
        "peak_mib": peak / 2**20,
        "disk_mib": disk / 2**20,
        "seconds": time.monotonic() - started,
        "stages": told["stage_seconds"],
        "int8": told["test_top1_int8"],
    }


def resident(root: int) -> int:
    """Return the resident memory of the process and all its descendants, in bytes."""
    total, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
    return total


def show(row: dict[str, object]) -> None:
    count, stages = int(str(row["photos"])), row["stages"]
    assert isinstance(stages, dict)
    each = ", ".join(f"{name} {1000 * seconds / count:.2f}" for name, seconds in stages.items())
    print(
        f"{count:>7} photos: peak {row['peak_mib']:.0f} MiB, disk {row['disk_mib']:.0f} MiB, "
        f"{row['seconds']:.0f} s in all, int8 {row['int8']:.1%}; seconds a thousand photos: {each}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())

"""Detect leaks: run `fieldfare run` at full speed for a long time, and watch its memory, files and threads.

    python tools/soak.py BUNDLE [--minutes 30] [--source synthetic] [--plot FILE.png] [--json]

Every five seconds it reads resident memory (RSS), proportional memory (PSS), open files, threads and results of
supervisor and worker. The first two minutes are a warm-up and do not count. Slopes are least squares over the rest,
per hour.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from edge import __version__
from edge.supervision import status

EVERY_S = 5.0
WARM_UP_S = 120.0


@dataclass
class Sample:
    """The figures of both processes together, `minutes` after the start."""

    minutes: float
    rss_mib: float
    pss_mib: float
    open_files: int
    threads: int
    results: int


def main() -> int:
    arguments = parse_arguments()
    print(f"{platform.platform()}, {os.cpu_count()} cores, fieldfare {__version__}, Python {platform.python_version()}")
    samples = watch(arguments)
    warm = [sample for sample in samples if sample.minutes * 60 >= WARM_UP_S]
    minutes = np.array([sample.minutes for sample in warm])
    last = samples[-1]
    print(f"{last.minutes:.1f} minutes, {last.results} results, {last.results / last.minutes / 60:.1f} a second")
    report: dict[str, float] = {"minutes": last.minutes, "results": last.results}
    for name in ("rss_mib", "pss_mib", "open_files", "threads"):
        values = np.array([getattr(sample, name) for sample in warm], float)
        slope = float(np.polyfit(minutes / 60, values, 1)[0])
        report[f"{name}_an_hour"] = slope
        print(
            f"{name:<11} {values[0]:8.1f} -> {values[-1]:8.1f}, largest {values.max():8.1f}, slope {slope:+.3f} an hour"
        )
    if arguments.plot:
        plot(samples, arguments.plot)
    if arguments.json:
        print(json.dumps({**report, "samples": [asdict(sample) for sample in samples]}))
    return 0


def watch(arguments: argparse.Namespace) -> list[Sample]:
    """Run the service, and sample it until the time is over."""
    words = ["--bundle", str(arguments.bundle), "--source", arguments.source, "--flat-out", "--quiet"]
    if arguments.source != "synthetic":
        words.append("--loop")
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory() as run:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", *words],
            stderr=subprocess.DEVNULL,
            env={**os.environ, "RUNTIME_DIRECTORY": run},
        )
        file, began = Path(run) / "status.json", time.monotonic()
        try:
            while (elapsed_s := time.monotonic() - began) < arguments.minutes * 60:
                time.sleep(EVERY_S - (time.monotonic() - began) % EVERY_S)
                if process.poll() is not None:
                    raise SystemExit(f"fieldfare ended with {process.returncode}")
                seen = status.read(file)
                if seen.counts.worker_starts != 1 or seen.worker_pid is None:
                    raise SystemExit(f"the worker ended, or was started again: {seen.why}")
                samples.append(look(elapsed_s / 60, [process.pid, seen.worker_pid], seen.counts.results))
                if sys.stderr.isatty():
                    print(f"\r{samples[-1]}", end="", file=sys.stderr)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    return samples


def look(minutes: float, pids: list[int], results: int) -> Sample:
    """Sample all processes; return their sums."""
    totals = {"Rss:": 0, "Pss:": 0}
    files = threads = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            key, *rest = line.split()
            if key in totals:
                totals[key] += int(rest[0])
        files += len(list(Path(f"/proc/{pid}/fd").iterdir()))
        threads += len(list(Path(f"/proc/{pid}/task").iterdir()))
    return Sample(minutes, totals["Rss:"] / 1024, totals["Pss:"] / 1024, files, threads, results)


def plot(samples: list[Sample], file: Path) -> None:
    """Plot each figure over time, in a panel of its own."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    names = [entry.name for entry in fields(Sample) if entry.name not in ("minutes", "results")]
    figure, axes = pyplot.subplots(len(names), 1, sharex=True, figsize=(8, 8))
    for axis, name in zip(axes, names, strict=True):
        values = [getattr(sample, name) for sample in samples]
        axis.plot([sample.minutes for sample in samples], values)
        axis.set_ylabel(name)
        axis.set_ylim(0, 1.15 * max(values))
    axes[-1].set_xlabel("minutes")
    figure.tight_layout()
    figure.savefig(file, dpi=100)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--source", default="synthetic")
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

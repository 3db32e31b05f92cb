"""Detect leaks: run `fieldfare run` at full speed for a long time, and watch its memory, files and threads.

Every five seconds it reads resident memory (RSS), proportional memory (PSS), open files, threads and results of
supervisor and worker. The first two minutes are a warm-up and do not count. Slopes are least squares over the rest,
per hour.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from edge.supervision import status
from tools.soaking.memory import FIGURES, Sample, look, slope

EVERY_S = 5.0
WARM_UP_S = 120.0


def run(arguments: argparse.Namespace) -> int:
    """Watch, and print what was found. Return the exit status."""
    least = (WARM_UP_S + 4 * EVERY_S) / 60
    if not arguments.minutes >= least:
        raise SystemExit(f"soak: --minutes {arguments.minutes:g}: must be at least {least:.1f}, the warm-up is in it")
    samples = watch(arguments)
    warm = [sample for sample in samples if sample.at * 3600 >= WARM_UP_S]
    last = samples[-1]
    print(f"{60 * last.at:.1f} minutes, {last.done} results, {last.done / last.at / 3600:.1f} a second")
    report: dict[str, float] = {"minutes": 60 * last.at, "results": last.done}
    for name in FIGURES:
        values = [getattr(sample, name) for sample in warm]
        grows = report[f"{name}_an_hour"] = slope(warm, name)
        print(
            f"{name:<11} {values[0]:8.1f} -> {values[-1]:8.1f}, largest {max(values):8.1f}, slope {grows:+.3f} an hour"
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
                samples.append(
                    look(elapsed_s / 3600, {"supervisor": process.pid, "worker": seen.worker_pid}, seen.counts.results)
                )
                if sys.stderr.isatty():
                    print(f"\r{samples[-1]}", end="", file=sys.stderr)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    return samples


def plot(samples: list[Sample], file: Path) -> None:
    """Plot each figure over time, in a panel of its own."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(FIGURES), 1, sharex=True, figsize=(8, 8))
    for axis, name in zip(axes, FIGURES, strict=True):
        values = [getattr(sample, name) for sample in samples]
        axis.plot([60 * sample.at for sample in samples], values)
        axis.set_ylabel(name)
        axis.set_ylim(0, 1.15 * max(values))
    axes[-1].set_xlabel("minutes")
    figure.tight_layout()
    figure.savefig(file, dpi=100)

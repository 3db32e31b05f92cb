"""Frames a second of the whole device path against a bare interpreter loop, in one sitting.

    python tools/bench_pipeline.py --bundle BUNDLE [--json]
    python tools/bench_pipeline.py --model M.tflite --labels L.txt [--json]

bare: set nothing, only invoke, in a loop, as fast as it goes. pipeline: the product's own daemon loop (capture
thread, newest-frame slot, preprocessing into the tensor, inference, scores, decision, one sink) on a replayed
folder of --size frames at full speed, every frame classified. Frames are decoded before the clock starts, as a
camera hands over pixels and not JPEG. Rounds of both take turns, so that a drifting clock rate hits both; the
ratio is taken round by round.
"""

import argparse
import json
import platform
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from edge import __version__
from edge.bundle.importer import Question, Told, import_model
from edge.bundle.store import Bundle, open_bundle
from edge.capture.replay import FolderSource
from edge.cli.assemble import build_pipeline
from edge.config import Decisions, Engine
from edge.daemon import run as run_daemon
from edge.health import SystemdNotifier
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier
from edge.pipeline import Pipeline
from edge.records import Result


class Tally:
    """A sink that keeps the latencies."""

    def __init__(self) -> None:
        self.results: list[Result] = []

    def write(self, result: Result) -> None:
        self.results.append(result)

    def close(self) -> None:
        """Nothing is held."""


def main() -> int:
    arguments = parse_arguments()
    bundle = load(arguments)
    width, height = (int(v) for v in arguments.size.split("x"))
    engine = Engine(runtime=arguments.runtime, device="cpu", threads=arguments.threads)
    runtime = load_runtime(engine.runtime)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_frames(folder, width, height)
        pipeline = build_pipeline(bundle, engine, Decisions())
        bare = TfliteClassifier(runtime, bundle.model, threads=arguments.threads)
        fps_pipeline, fps_bare, latencies = [], [], []
        for _ in range(arguments.rounds + 1):  # the first round warms up and is not counted
            fps_bare.append(bare_round(bare, arguments.seconds))
            fps, results = pipeline_round(folder, pipeline, arguments.seconds)
            fps_pipeline.append(fps)
            latencies += [r.latency_ms for r in results]
    ratios = [p / b for p, b in zip(fps_pipeline[1:], fps_bare[1:], strict=True)]
    report = {
        "fps_pipeline": round(statistics.median(fps_pipeline[1:]), 1),
        "fps_bare": round(statistics.median(fps_bare[1:]), 1),
        "ratio": round(statistics.median(ratios), 4),
        "ratio_min": round(min(ratios), 4),
        "ratio_max": round(max(ratios), 4),
        "fps_pipeline_min": round(min(fps_pipeline[1:]), 1),
        "fps_pipeline_max": round(max(fps_pipeline[1:]), 1),
        "preprocess_ms": round(statistics.median(x.preprocess for x in latencies), 3),
        "inference_ms": round(statistics.median(x.inference for x in latencies), 3),
        "postprocess_ms": round(statistics.median(x.postprocess for x in latencies), 3),
        "rounds": arguments.rounds,
        "seconds_a_round": arguments.seconds,
        "frame_size": arguments.size,
        "threads": arguments.threads,
        "model": bundle.manifest.name,
        "engine": pipeline.classifier.engine,
        "platform": f"{platform.machine()}, {cpu_name()}, Linux {platform.release()}",
        "versions": f"fieldfare {__version__}, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"OpenCV {cv2.__version__}",
    }
    if arguments.json:
        print(json.dumps(report))
    else:
        for key, value in report.items():
            print(f"{key:<18} {value}")
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--bundle", type=Path)
    what.add_argument("--model", type=Path, help="a .tflite with TFLite metadata")
    parser.add_argument("--labels", type=Path, help="labels for --model")
    parser.add_argument("--size", default="640x480", help="size of the replayed frames")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each round")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def load(arguments: argparse.Namespace) -> Bundle:
    if arguments.bundle is not None:
        return open_bundle(arguments.bundle)

    def ask(question: Question) -> str:
        sys.exit(f"bench_pipeline: the model does not say {question.explanation}: import it into a bundle first")

    return import_model(
        arguments.model, Path("bench"), Told(labels=arguments.labels, resize="squash"), ask, runtime=arguments.runtime
    )


def write_frames(folder: Path, width: int, height: int) -> None:
    rng = np.random.default_rng(0)
    for number in range(8):
        field = cv2.resize(rng.integers(0, 256, (12, 16, 3)).astype(np.uint8), (width, height))
        noise = rng.normal(0, 8, (height, width, 1))
        cv2.imwrite(str(folder / f"{number}.png"), np.clip(field + noise, 0, 255).astype(np.uint8))


def bare_round(classifier: TfliteClassifier, seconds: float) -> float:
    count, started = 0, time.perf_counter()
    interpreter = classifier._interpreter  # the loop must be bare: no copy of the output, no checks
    while (now := time.perf_counter()) - started < seconds:
        interpreter.invoke()
        count += 1
    return count / (now - started)


def pipeline_round(folder: Path, pipeline: Pipeline, seconds: float) -> tuple[float, list[Result]]:
    source = FolderSource(folder, fps=None, loop=True)
    for _ in range(8):
        source.read()
    stop = threading.Event()
    timer = threading.Timer(seconds, stop.set)
    tally = Tally()
    timer.start()
    summary = run_daemon(source, pipeline, [tally], SystemdNotifier({}), stop, timeout_s=20)
    timer.cancel()
    return summary.fps, tally.results


def cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


if __name__ == "__main__":
    sys.exit(main())
